import sys


def parse_line(line):
    words = line.decode().split()
    return words[0], tuple(words[1:])


if __name__ == "__main__":
    for line in sys.stdin.buffer:
        print(parse_line(line.rstrip(b"\n")))
