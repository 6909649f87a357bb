"""The `cpuplace` command: arguments in, pictures and tables out; no decisions of its own."""
