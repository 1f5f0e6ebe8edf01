"""The tests of the course: `pytest`, or `pytest tests/test_step4_framing.py` for one step."""
