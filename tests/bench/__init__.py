"""The benchmark (`make bench`): what a request costs in calls, CPU, memory and time, against its budgets."""
