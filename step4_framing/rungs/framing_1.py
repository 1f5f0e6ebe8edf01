class LineBuffer:
    def __init__(self, max_line_bytes=1024):
        self.rest = b""

    def feed(self, chunk):
        self.rest += chunk

    def next_line(self):
        line, newline, rest = self.rest.partition(b"\n")
        if not newline:
            return None
        self.rest = rest
        return line.removesuffix(b"\r")
