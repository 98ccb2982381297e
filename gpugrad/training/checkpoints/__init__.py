"""What a run needs to go on as if it had never stopped: written, stored, owned by one process, verified."""
