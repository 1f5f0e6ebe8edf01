"""Exercise: greet each client with its number."""

import sys
import threading


def test_each_client_is_greeted_with_its_number(exercise, serve, connect):
    server = serve(exercise.CountServer)
    for number in (1, 2, 3):
        assert connect(server).read_line() == f"you are client {number}"


def test_after_the_greeting_it_echoes(exercise, serve, connect):
    wire = connect(serve(exercise.CountServer))
    wire.read_line()
    wire.send("hello")
    assert wire.read_line() == "hello"


def test_no_two_clients_get_the_same_number(exercise, serve):
    server = serve(exercise.CountServer)
    numbers = []

    def take_numbers():
        for _ in range(1000):
            numbers.append(server.next_number())

    threads = [threading.Thread(target=take_numbers) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns so often that a race happens soon
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert (len(set(numbers)), max(numbers)) == (8000, 8000)
