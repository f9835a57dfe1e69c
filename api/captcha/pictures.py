"""The captcha: a few digits to read in a picture, or to hear."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import secrets
import signal
import threading
import unicodedata
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Protocol

from captcha.audio import BEEP, END_BEEP, SILENCE, WAVE_SAMPLE_RATE, AudioCaptcha, mix_wave

from api.worker_pool import WorkerPool
from models.visible_text import without_formats

logger = logging.getLogger(__name__)

MAX_TYPED_LENGTH = 50
BACKGROUND = (248, 248, 248)
INKS = ((22, 48, 107), (91, 26, 102), (20, 73, 44), (107, 36, 20), (61, 58, 18), (51, 51, 51))
INK_LUMINANCE = 46  # Of the darkest ink (ITU-R 601-2, as Pillow converts); the others are a little lighter.
MAX_WAITING_SOUNDS = 4
SOUND_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Challenge:
    """What a person has to read or hear, and to type."""

    id: str
    answer: str = field(repr=False)


class CaptchaProvider(Protocol):
    """Makes challenges, and shows and speaks them."""

    alphabet: str
    length: int

    def new_challenge(self) -> Challenge:
        """Make a challenge that nobody has seen."""

    async def picture(self, challenge: Challenge) -> bytes:
        """Draw the challenge, as PNG; `api.refusals.TooManyRequests` if too many wait to be drawn."""

    async def sound(self, challenge: Challenge, language: str) -> bytes | None:
        """Speak the challenge, as WAV; None if that can't be done now."""

    async def aclose(self) -> None:
        """Let go of threads and processes."""


def normalise_answer(typed: str) -> str:
    """Level letter case, blanks and widths; what is too long becomes empty, as no answer is."""
    if len(typed) > MAX_TYPED_LENGTH:
        return ""
    return "".join(without_formats(unicodedata.normalize("NFKC", typed)).split()).upper()


def answer_digest(key: bytes, registration_id: str, challenge_id: str, answer: str) -> str:
    """Digest an answer, so that it holds for one challenge of one registration only."""
    message = json.dumps(["captcha", registration_id, challenge_id, normalise_answer(answer)]).encode()
    return hmac.digest(key, message, "sha256").hex()


class PictureCaptcha:
    """Six digits: spoken clearly in any language, and typed on a numeric keyboard."""

    alphabet: str = "0123456789"
    length: int = 6

    def __init__(self) -> None:
        # Late: the child process that speaks imports this module too, and saves 8 MB without Pillow.
        from captcha.image import ImageCaptcha

        self._pen = ImageCaptcha(width=240, height=80, font_sizes=(48, 52, 56))
        # The library takes a colour's luminance for its opacity, which makes dark inks pale: let them cover.
        self._pen.lookup_table = [min(255, level * 255 // INK_LUMINANCE) for level in range(256)]
        # Gentler than the library's own, under which a 7 can look like a > and neighbours merge.
        self._pen.character_rotate = (-15, 15)
        self._pen.character_warp_dx = self._pen.character_warp_dy = (0.05, 0.2)
        self._pen.word_space_probability, self._pen.word_offset_dx = 0.7, 0.1
        self._pictures = WorkerPool(workers=2, max_waiting=64, name="captcha-picture")
        self._voice = _VoiceProcess()

    def new_challenge(self) -> Challenge:
        answer = "".join(secrets.choice(self.alphabet) for _ in range(self.length))
        return Challenge(id=secrets.token_hex(16), answer=answer)

    async def picture(self, challenge: Challenge) -> bytes:
        return await self._pictures.run(self._draw, challenge.answer)

    def _draw(self, answer: str) -> bytes:
        return self._pen.generate(answer, bg_color=BACKGROUND, fg_color=secrets.choice(INKS)).getvalue()

    async def sound(self, challenge: Challenge, language: str) -> bytes | None:
        return await self._voice.speak(challenge.answer, language)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._pictures.close)
        await self._voice.aclose()


class FixedCaptcha(PictureCaptcha):
    """Always the same answer, for developers of clients; production refuses this setting."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self._answer = normalise_answer(answer)
        if not self._answer.isalnum():
            raise ValueError(f"a fixed captcha has 1 to {MAX_TYPED_LENGTH} letters and digits")
        self.alphabet = "".join(sorted(set(self._answer)))
        self.length = len(self._answer)

    def new_challenge(self) -> Challenge:
        return Challenge(id=secrets.token_hex(16), answer=self._answer)


class _VoiceProcess:
    """The child process that speaks, as a sound is 0.1 s of pure Python; the first sound starts it."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None
        self._in_hand = 0

    async def speak(self, answer: str, language: str) -> bytes | None:
        if self._in_hand > MAX_WAITING_SOUNDS:
            logger.warning("no captcha sound: too many wait")
            return None
        if self._executor is None:
            self._executor = ProcessPoolExecutor(1, get_context("spawn"), _prepare_child)
        executor = self._executor
        try:
            work = asyncio.wrap_future(executor.submit(_speak, answer, language))
            self._in_hand += 1
            work.add_done_callback(self._release)
            async with asyncio.timeout(SOUND_TIMEOUT_SECONDS):
                return await asyncio.shield(work)
        except LookupError:  # It may hold a character of the answer: not to be logged.
            logger.warning("no captcha sound: no voice for this language or one of the characters")
        except (BrokenExecutor, MemoryError, OSError) as error:  # A timeout is an OSError.
            logger.warning("no captcha sound: %s", type(error).__name__)
            if self._executor is executor:  # Else somebody else who waited has ended it already.
                await self.aclose()
        return None

    def _release(self, work: asyncio.Future[bytes]) -> None:
        self._in_hand -= 1
        if not work.cancelled():
            work.exception()  # Retrieved, in case that the caller has gone.

    async def aclose(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            for process in list((executor._processes or {}).values()):
                process.kill()  # As `executor.kill_workers()` will, from Python 3.14 on.
            await asyncio.to_thread(executor.shutdown)


def _prepare_child() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the child too: the parent ends it.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()  # Returns even when it was killed, and could end nothing itself.
        os._exit(1)


class _Speaker(AudioCaptcha):
    """The library's, with gaps of 0.5 to 1 s; its own of 1 to 3 s double the size."""

    def create_wave_body(self, chars: str) -> bytearray:
        voices = [self._twist_pick(character) for character in chars]
        gaps = [WAVE_SAMPLE_RATE // 2 + secrets.randbelow(WAVE_SAMPLE_RATE // 2) for _ in voices]
        body = self.create_background_noise(sum(gaps) + sum(map(len, voices)) + WAVE_SAMPLE_RATE // 2, chars)
        end = 0
        for gap, voice in zip(gaps, voices, strict=True):
            start, end = end + gap, end + gap + len(voice)
            body[start:end] = mix_wave(voice, body[start:end])
        return BEEP + SILENCE + BEEP + SILENCE + BEEP + body + END_BEEP


# The library's own voice is English; a speaker reads its voice when it first speaks.
_SPEAKERS = {"en": _Speaker(), "fr": _Speaker(str(Path(__file__).parent / "voices" / "fr"))}


def _speak(answer: str, language: str) -> bytes:
    return bytes(_SPEAKERS[language].generate(answer))
