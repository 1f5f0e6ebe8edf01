import sys
import threading

try:
    import termios
    import tty
except ImportError:  # Windows: there the console edits the line
    termios = None

at_terminal = termios is not None and sys.stdin.isatty()
lock = threading.Lock()  # guards the screen and `typed`
typed = ""  # what is typed and not entered yet


def begin():
    if at_terminal:
        before = termios.tcgetattr(0)
        tty.setcbreak(0, termios.TCSANOW)
        return before


def end(before):
    if before:
        print("\r\x1b[K", end="", flush=True)  # no prompt is left
        termios.tcsetattr(0, termios.TCSANOW, before)


def show(text):
    safe = "".join(char if char.isprintable() or char == "\t" else ascii(char)[1:-1] for char in text)
    with lock:
        if at_terminal:
            print(f"\r\x1b[K{safe}\n> {typed}", end="", flush=True)
        else:
            print(safe, flush=True)


def read_line():
    global typed
    if not at_terminal:
        line = sys.stdin.readline()
        return line.rstrip("\n") if line else None
    while True:
        key = sys.stdin.read(1)
        with lock:
            if not key or (key == "\x04" and not typed):  # Ctrl-D
                return None
            if key == "\n":
                line, typed = typed, ""
                print("\n> ", end="", flush=True)
                return line
            if key in "\x7f\b":  # backspace
                typed = typed[:-1]
            elif key.isprintable():
                typed += key
            print(f"\r\x1b[K> {typed}", end="", flush=True)
