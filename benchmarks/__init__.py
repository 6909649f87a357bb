"""Speed and memory against budgets; never part of the tests."""
