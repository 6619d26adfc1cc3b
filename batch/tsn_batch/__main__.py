"""`python -P -m tsn_batch` is `tsn`: the form that finds the same interpreter and the same code in a child."""

from tsn_batch.process.interpreter import leave_current_folder

leave_current_folder()

from tsn_batch.cli import main  # noqa: E402  (all that it imports shall be the installation's)

main()
