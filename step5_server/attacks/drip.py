"""A drip: mallory connects, says a byte now and then, and never logs in.  Is she ever sent away?"""

import sys
import time

from guest import Guest

patience_s = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
mallory = Guest()
started_at = time.monotonic()
while (passed_s := time.monotonic() - started_at) < patience_s:
    if (heard := mallory.ask("", patience_s=0.05)) != "(nothing)":
        print(f"after {passed_s:.1f} s mallory hears: {heard}")
        sys.exit(0)
print(f"after {passed_s:.1f} s mallory is still there, and has not logged in")
sys.exit(1)
