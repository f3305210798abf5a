"""Actions carried out: what `engine` hands to workers, and what each op does to two stores."""
