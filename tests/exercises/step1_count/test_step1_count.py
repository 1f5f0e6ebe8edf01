"""Exercise: greet each client with its number."""

from tests.interleave import anew, explore


def test_each_client_is_greeted_with_its_number(exercise, serve, connect):
    server = serve(exercise.CountServer)
    for number in (1, 2, 3):
        assert connect(server).read_line() == f"you are client {number}"


def test_after_the_greeting_it_echoes(exercise, serve, connect):
    wire = connect(serve(exercise.CountServer))
    wire.read_line()
    wire.send("hello")
    assert wire.read_line() == "hello"


def test_no_two_clients_get_the_same_number(exercise):
    """All orders are tried in which two threads can run the lines of your file; one that breaks is shown."""

    def scene():
        server = anew(exercise).CountServer(("127.0.0.1", 0))
        server.server_close()  # nobody connects: here it only counts

        def check(saw):
            assert len(set(saw.values())) == 2, "two clients got the same number"
            assert server.next_number() == max(saw.values()) + 1, "a number was left out"

        return {"one client": server.next_number, "another": server.next_number}, check

    explore(scene, exercise)
