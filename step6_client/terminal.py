"""Where a person reads and types: a terminal, or the two ends of a pipe.

Two threads meet here.  The main thread waits for a typed line; the receiving thread has something to
show.  Only the main thread may draw, because only it knows what the line editor is doing: the other
one leaves its text and wakes it with a signal.
"""

import contextlib
import io
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from step1_echo.streams import CannotWrite, tell, write

try:
    import ctypes
    import readline
    import termios
except ImportError:  # Windows, or a Python built without it: the system's own line editing remains
    readline = None  # type: ignore[assignment]

WAKE = getattr(signal, "SIGALRM", 0)  # 0 on Windows: there no signal wakes a thread that reads
# What ends us: Ctrl-C, `kill`, a window that closes, Ctrl-\.  The terminal must be as it was found.
ENDINGS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)}
STOP = getattr(signal, "SIGTSTP", 0)  # Ctrl-Z
# A signal (Ctrl-C is one too) that comes just before the main thread goes to sleep does not wake it.
# So it is woken this often anyway: late enough to cost nothing, early enough for a person.
TICK_S = 0.1
WAKE_AGAIN_S = 0.005  # the same where a text waits: at ten a second a flood would take all day


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Hold back what would interrupt the main thread.  A thread that is started here never gets any."""
    if not WAKE:
        yield
        return
    held = {WAKE, STOP, *ENDINGS}
    signal.pthread_sigmask(signal.SIG_BLOCK, held)
    yield
    signal.pthread_sigmask(signal.SIG_UNBLOCK, held)


class Stopped(Exception):
    """There is nothing to type for any more; says what is wrong, "" if nothing is."""


class Pipe:
    """Lines in from standard input, lines out to standard output: no prompt, nothing drawn."""

    def __init__(self) -> None:
        self._ending: BaseException | None = None  # what the main thread is to raise
        self._main_thread = threading.get_ident()
        assert isinstance(sys.stdin, io.TextIOWrapper)  # text over bytes
        sys.stdin.reconfigure(errors="surrogateescape")  # bytes that are no text reach the server as they are
        if WAKE:
            signal.signal(WAKE, self._on_wake)
            signal.setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)

    def read_line(self, prompt: str) -> str | None:
        """Return the next line typed, None at the end of input.  Thread: main.  Raises: Stopped."""
        try:
            line = sys.stdin.readline()
        except OSError as error:
            raise Stopped(f"cannot read {sys.stdin.name}: {error.strerror}") from None
        return line.rstrip("\n") if line else None

    def show(self, text: str) -> None:
        """Print a text.  Thread: any.  Raises: Stopped."""
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        """Write past Python's buffer: a signal may come while that is being written to."""
        try:
            write(sys.stdout, text)
        except CannotWrite as error:
            raise Stopped(str(error)) from None

    def close(self) -> None:
        """Leave everything as it was found."""
        if WAKE:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def stop(self, why: str) -> None:
        """Make the main thread, which may be waiting for input, raise Stopped(why).  Thread: another."""
        self._ending = Stopped(why)
        if not WAKE:  # Windows: nothing ends a read of the console but the end of the program
            tell(why)
            os._exit(1 if why else 0)
        self._wake()

    def _wake(self) -> None:
        signal.pthread_kill(self._main_thread, WAKE)

    def _on_wake(self, signal_number: int, frame: FrameType | None) -> None:
        if self._ending:
            # No other may follow: input() looks for signals once more while the exception is on its
            # way, and a handler that runs then ends in a SystemError.
            signal.pthread_sigmask(signal.SIG_BLOCK, {WAKE, STOP, *ENDINGS})
            raise self._ending


class Terminal(Pipe):
    """A person's terminal: a prompt, a line editor, and texts that come while she types.

    What comes takes the place of her half-typed line, which is drawn anew below it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._prompt = ""  # what stands before the line that is being typed
        self._text = ""  # what the main thread is to show, until it has
        self._drawing = False
        # Says that it has; unlike an Event, safe in a handler.
        self._shown: queue.SimpleQueue[bool] = queue.SimpleQueue()
        if WAKE:
            for number in ENDINGS:
                signal.signal(number, self._on_ending)
            signal.signal(STOP, self._on_stop)
        self._editor = find_editor()
        if self._editor:
            # The system too edits lines (ICANON) and shows what is typed (ECHO).  It must not while
            # readline rests: it would swallow a Ctrl-D, and write into the text that is shown.
            self._found = termios.tcgetattr(sys.stdin)
            self._set_modes(echo=False)

    def close(self) -> None:
        super().close()
        if self._editor:
            self._set(self._found)

    def _set_modes(self, echo: bool) -> None:
        if self._editor:
            modes = self._found[:]
            modes[3] &= ~termios.ICANON if echo else ~(termios.ICANON | termios.ECHO)  # 3: local modes
            self._set(modes)

    def _set(self, modes: list[Any]) -> None:
        with contextlib.suppress(termios.error):  # NOTE: its window may be closed
            termios.tcsetattr(sys.stdin, termios.TCSANOW, modes)

    def read_line(self, prompt: str) -> str | None:
        self._prompt = prompt
        self._set_modes(echo=True)  # or readline believes that she does not want to see it
        if WAKE and readline:
            # A signal ends its select() all the same.  Its write() must begin again after one: of a
            # write that a signal ended, C's buffer drops the rest, and a key would not be seen.
            signal.siginterrupt(WAKE, False)
        try:
            return input(prompt)
        except EOFError:
            self._leave_line()  # Ctrl-D leaves the cursor behind the prompt
            return None
        except (KeyboardInterrupt, Stopped):
            self._leave_line()
            raise
        finally:
            if WAKE:
                signal.siginterrupt(WAKE, True)  # or nothing wakes us where we wait for a reply
            self._set_modes(echo=False)
            self._prompt = ""

    def show(self, text: str) -> None:
        if not WAKE or threading.current_thread() is threading.main_thread():
            self._draw(text)
            return
        self._text = text
        while self._text and not self._ending:
            self._wake()
            with contextlib.suppress(queue.Empty):
                self._shown.get(timeout=WAKE_AGAIN_S)

    def _leave_line(self) -> None:
        with contextlib.suppress(Stopped):  # NOTE: its window may be closed
            self._write("\n")

    def _on_ending(self, signal_number: int, frame: FrameType | None) -> None:
        """Let Ctrl-C and its like take the way that all exceptions take here."""
        self._ending = KeyboardInterrupt(signal_number)
        signal.raise_signal(WAKE)

    def _on_stop(self, signal_number: int, frame: FrameType | None) -> None:
        """Give the terminal back, sleep, and take it again when the shell says `fg`."""
        modes = termios.tcgetattr(sys.stdin) if self._editor else None
        if modes:
            self._set(self._found)
        signal.signal(STOP, signal.SIG_DFL)
        signal.raise_signal(STOP)  # here we stop, and here we go on
        signal.signal(STOP, self._on_stop)
        if modes and self._editor:
            self._set(modes)
            self._editor.draw_anew()

    def _on_wake(self, signal_number: int, frame: FrameType | None) -> None:
        if self._text and not self._drawing:  # the signal may come again while we draw
            self._drawing = True
            try:
                self._draw(self._text)
            except Stopped as stopped:
                self._ending = stopped
            finally:
                self._text, self._drawing = "", False
                self._shown.put(True)
        super()._on_wake(signal_number, frame)

    def _draw(self, text: str) -> None:
        """Show a text, above the line that is being typed if there is one."""
        if self._editor:
            self._editor.draw_above(lambda: self._write(text + "\n"))
        elif self._prompt:
            typed = readline.get_line_buffer() if readline else ""  # unknown: it stays visible above
            self._write(f"\n{text}\n{self._prompt}{typed}")
        else:
            self._write(text + "\n")


class Editor:
    """The GNU library below Python's readline, for what the module lacks.

    Source: GNU Readline Library manual, 2.4.6 (Redisplay) and 2.3 (rl_readline_state).
    Raises: AttributeError, ValueError where the library below is another one.
    """

    READING_A_LINE = 0x80000  # RL_STATE_CALLBACK in readline.h

    def __init__(self) -> None:
        library = ctypes.CDLL(readline.__file__)  # finds the names of all that this file is linked with
        self._state = ctypes.c_ulong.in_dll(library, "rl_readline_state")
        self._erase = library.rl_clear_visible_line
        self._redraw = library.rl_forced_update_display
        self._on_new_line = library.rl_on_new_line
        self._flush = library.fflush

    def draw_above(self, draw: Callable[[], None]) -> None:
        """Call draw with the typed line off the screen, if there is one.  Thread: main."""
        typing = self._state.value & self.READING_A_LINE
        if typing:
            self._erase()
            self._flush(None)  # the library writes through C's buffer, and we do not
        draw()
        if typing:
            self._redraw()

    def draw_anew(self) -> None:
        """Draw the typed line where the cursor is, if there is one: others have written meanwhile."""
        if self._state.value & self.READING_A_LINE:
            self._on_new_line()
            self._redraw()


def find_editor() -> Editor | None:
    """Return an Editor, None where Python has none, or one of another make (libedit on macOS)."""
    try:
        return Editor() if readline and "GNU" in readline.__doc__ else None
    except (AttributeError, ValueError, OSError):
        return None
