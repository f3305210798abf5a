"""What buckia costs, measured. `make bench`, or one of them: `make bench SCENARIO=plan-local`."""
