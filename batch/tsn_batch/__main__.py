"""`python -m tsn_batch` is `tsn`: the form that finds the same interpreter and the same code in a child."""

from tsn_batch.cli import main

main()
