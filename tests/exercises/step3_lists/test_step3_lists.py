"""Exercise: send a list of names in lines of at most 1024 bytes."""


def test_a_short_list_is_one_line(exercise):
    assert exercise.list_lines("USERS", ["alice", "bob"]) == [b"USERS alice bob"]


def test_nobody_is_no_line(exercise):
    assert exercise.list_lines("USERS", []) == []


def test_a_long_list_keeps_all_names_in_order_within_the_limit(exercise):
    for length in (1, 7, 20):
        names = [f"{number:0{length}}" for number in range(5000)]
        lines = exercise.list_lines("MEMBERS tea", names)
        assert max(map(len, lines)) <= 1024
        assert all(line.startswith(b"MEMBERS tea ") for line in lines)
        assert [name for line in lines for name in line.decode().split(" ")[2:]] == names


def test_a_line_is_filled_to_the_last_byte(exercise):
    names = ["x" * 19] * 50 + ["y" * 18]  # USERS, 50 times 20 bytes, and 19 more are 1024
    [line] = exercise.list_lines("USERS", names)
    assert len(line) == 1024


def test_bytes_are_counted_and_not_characters(exercise):
    lines = exercise.list_lines("USERS", ["é" * 10] * 100)
    assert max(map(len, lines)) <= 1024 and len(lines) == 3
