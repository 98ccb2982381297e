"""What a run says: its log, the display on the terminal, and the page with its curves."""
