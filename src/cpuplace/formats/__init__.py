"""Outside formats, text to values and back; nothing here opens anything. One module a format: `parse`, `render`."""
