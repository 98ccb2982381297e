"""Reporting: the log files of a run, the progress display, and the HTML report with its charts."""
