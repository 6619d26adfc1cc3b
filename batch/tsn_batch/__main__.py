"""`python -P -m tsn_batch` runs `tsn` with this very interpreter and code; child processes are started this way."""

from tsn_batch.process.interpreter import leave_current_folder

leave_current_folder()

from tsn_batch.cli import main  # noqa: E402  (only after the current folder has left sys.path)

main()
