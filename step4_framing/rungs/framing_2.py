from collections import deque


class LineTooLong(Exception):
    pass


class LineBuffer:
    def __init__(self, max_line_bytes=1024):
        self.max_line_bytes = max_line_bytes
        self.lines = deque()  # whole, and not yet returned
        self.rest = bytearray()  # the beginning of the next one
        self.skipping = False  # inside a line that is too long

    def feed(self, chunk):
        self.rest += chunk
        if b"\n" in chunk:
            *lines, self.rest = self.rest.split(b"\n")
            self.lines.extend(lines)

    def next_line(self):
        while self.lines:
            line = bytes(self.lines.popleft()).removesuffix(b"\r")
            if self.skipping:
                self.skipping = False
            elif len(line) > self.max_line_bytes:
                raise LineTooLong
            else:
                return line
        size = len(self.rest) - self.rest.endswith(b"\r")  # it may be half of a \r\n
        if self.skipping or size > self.max_line_bytes:
            self.rest.clear()
            if not self.skipping:
                self.skipping = True
                raise LineTooLong
        return None
