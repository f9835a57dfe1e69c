"""The voice of the captcha: a child process that speaks.

The child imports this module, so it imports little: without Pillow the child is 8 MB smaller.

The speaker uses a private part of captcha. Tried on captcha 0.7.1; `tests/test_private_parts.py` fails when a release
changes it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import threading
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from pathlib import Path

from captcha.audio import BEEP, END_BEEP, SILENCE, WAVE_SAMPLE_RATE, AudioCaptcha, mix_wave

logger = logging.getLogger(__name__)

MAX_WAITING_SOUNDS = 4
SOUND_TIMEOUT_SECONDS = 10.0


class Voice:
    """A child process that speaks, as a sound takes 0.1 s of pure Python; the first sound starts it.

    anyio's `to_process` is no substitute: Ctrl-C in its child raises KeyboardInterrupt in the parent's next call, and a
    caller that is cancelled kills the child.
    """

    def __init__(self, *, timeout_seconds: float = SOUND_TIMEOUT_SECONDS) -> None:
        self.timeout_seconds = timeout_seconds
        self._executor: ProcessPoolExecutor | None = None
        self._unfinished = 0

    async def speak(self, text: str, language: str) -> bytes | None:
        """Return *text* as WAV; None if too many wait, if the child fails, or if it takes too long.

        A caller that gives up frees no place in the queue: the child still makes the sound.
        """
        if self._unfinished > MAX_WAITING_SOUNDS:
            logger.warning("no captcha sound: too many wait")
            return None
        if self._executor is None:
            self._executor = ProcessPoolExecutor(1, get_context("spawn"), _prepare_child)
        executor = self._executor
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await asyncio.shield(self._submit(executor, text, language))
        except LookupError:  # Its message may hold a character of the answer, which must not be logged.
            logger.warning("no captcha sound: no voice for this language or one of the characters")
        except (BrokenExecutor, MemoryError, OSError) as error:  # A timeout is an OSError.
            logger.warning("no captcha sound: %s", type(error).__name__)
            if self._executor is executor:  # Otherwise another caller who waited has ended it already.
                await self.aclose()
        return None

    def _submit(self, executor: ProcessPoolExecutor, text: str, language: str) -> asyncio.Future[bytes]:
        work = asyncio.wrap_future(executor.submit(_speak, text, language))
        self._unfinished += 1
        work.add_done_callback(self._finish)
        return work

    def _finish(self, work: asyncio.Future[bytes]) -> None:
        self._unfinished -= 1
        if not work.cancelled():
            work.exception()  # Retrieve it, in case the caller has gone: asyncio logs errors that nobody retrieves.

    async def aclose(self) -> None:
        """Kill the child, even in the middle of a sound; those who wait get None."""
        executor, self._executor = self._executor, None
        if executor is not None:
            for process in list((executor._processes or {}).values()):
                process.kill()  # From Python 3.14 on, `executor.kill_workers()` does this.
            await asyncio.to_thread(executor.shutdown)


def _prepare_child() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the child too: the parent ends it.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()  # Returns even if the parent was killed, and could end nothing itself.
        os._exit(1)


class _Speaker(AudioCaptcha):
    """The library's speaker, with gaps of 0.5 to 1 s; its own gaps of 1 to 3 s double the size."""

    def create_wave_body(self, chars: str) -> bytearray:
        voices = [self._twist_pick(character) for character in chars]
        gaps = [WAVE_SAMPLE_RATE // 2 + secrets.randbelow(WAVE_SAMPLE_RATE // 2) for _ in voices]
        body = self.create_background_noise(sum(gaps) + sum(map(len, voices)) + WAVE_SAMPLE_RATE // 2, chars)
        end = 0
        for gap, voice in zip(gaps, voices, strict=True):
            start, end = end + gap, end + gap + len(voice)
            body[start:end] = mix_wave(voice, body[start:end])
        return BEEP + SILENCE + BEEP + SILENCE + BEEP + body + END_BEEP


# The library's own voice is English. A speaker reads its voice from disk when it first speaks.
_SPEAKERS = {"en": _Speaker(), "fr": _Speaker(str(Path(__file__).parent / "voices" / "fr"))}


def _speak(text: str, language: str) -> bytes:
    return bytes(_SPEAKERS[language].generate(text))
