"""The verbs behind `project`, each a run of its own: plan, apply, promote and the rest."""
