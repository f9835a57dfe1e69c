"""Speak one captcha, print the number of its bytes, and end without closing; killed, with the argument "killed"."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from api.captcha.pictures import PictureCaptcha


def main(ending: str) -> None:
    provider = PictureCaptcha()
    sound = asyncio.run(provider.sound(provider.new_challenge(), "fr"))
    sys.stdout.write(str(len(sound or b"")))
    sys.stdout.flush()
    if ending == "killed":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
