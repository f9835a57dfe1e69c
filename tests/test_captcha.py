"""The captcha: pictures that can be read, sounds that can be heard, answers that don't leak."""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest
from PIL import Image

from api.captcha import pictures, voice
from api.captcha.challenge import Challenge, answer_digest, normalise_answer
from api.captcha.pictures import FixedCaptcha, PictureCaptcha
from api.captcha.voice import Voice
from api.refusals import TooManyRequests

KEY = b"k" * 32
FRENCH_VOICES = Path(voice.__file__).parent / "voices" / "fr"


@pytest.fixture
def speaker() -> Voice:
    return Voice()


@pytest.fixture
async def provider(speaker: Voice) -> AsyncIterator[PictureCaptcha]:
    provider = PictureCaptcha(voice=speaker)
    yield provider
    await provider.aclose()


def luminance(colour: tuple[int, ...]) -> float:
    """Return the relative luminance by WCAG 2.2, on which its contrast ratio is based."""
    shares = [level / 255 for level in colour[:3]]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


async def speaking_child(provider: PictureCaptcha) -> BaseProcess:
    """Have *provider* speak once, and return the process that does it."""
    before = set(multiprocessing.active_children())
    assert await provider.sound(provider.new_challenge(), "fr")
    (child,) = set(multiprocessing.active_children()) - before
    return child


# --- The challenge and its answer ---


def test_repr_of_a_challenge_hides_its_answer() -> None:
    """A challenge that gets into a log or a traceback doesn't give its answer away."""
    challenge = Challenge(id="some-id", answer="271828")
    assert "some-id" in repr(challenge)
    assert "271828" not in f"{challenge!r} {challenge} {[challenge]}"


@pytest.mark.anyio
async def test_challenges_are_random(provider: PictureCaptcha) -> None:
    """Each challenge has its own id, and an answer of the length and the alphabet that the API states."""
    challenges = [provider.new_challenge() for _ in range(50)]
    assert len({challenge.id for challenge in challenges}) == 50
    assert len({challenge.answer for challenge in challenges}) > 40
    assert all(len(challenge.answer) == provider.length == 6 for challenge in challenges)
    assert set("".join(challenge.answer for challenge in challenges)) == set(provider.alphabet)


@pytest.mark.parametrize(
    "entered",
    [
        "ab1234",
        "AB1234",
        " AB 12 34 ",
        "AB\u00a012\u202f34\t\n",
        "\u3000\uff21\uff22\uff11\uff12\uff13\uff14",  # Full width, from a Japanese keyboard.
        "AB\u200b12\ufeff34",
    ],
)
def test_case_blanks_and_width_do_not_matter(entered: str) -> None:
    """Letter case, blanks and the width of characters make no answer wrong."""
    assert normalise_answer(entered) == "AB1234"
    assert answer_digest(KEY, "registration", "challenge", entered) == answer_digest(
        KEY, "registration", "challenge", "AB1234"
    )


def test_digest_ignores_blanks() -> None:
    """Digits entered in pairs, as people do, have the digest of the same digits entered at once."""
    assert answer_digest(KEY, "r", "c", " 12 34 56 ") == answer_digest(KEY, "r", "c", "123456")


@pytest.mark.parametrize(
    ("key", "registration", "challenge", "answer"),
    [
        (b"other", "r1", "c1", "123456"),
        (KEY, "r2", "c1", "123456"),
        (KEY, "r1", "c2", "123456"),
        (KEY, "r1", "c1", "123457"),
        (KEY, "r1c", "1", "123456"),
        (KEY, "r1", "c11", "23456"),
        (KEY, "r1\x00c1", "", "123456"),
    ],
)
def test_digest_is_valid_for_one_challenge(key: bytes, registration: str, challenge: str, answer: str) -> None:
    """A digest is of no use for another key, registration, challenge or answer, nor for shifted boundaries."""
    digest = answer_digest(key, registration, challenge, answer)
    assert len(bytes.fromhex(digest)) == 32
    assert digest != answer_digest(KEY, "r1", "c1", "123456")


@pytest.mark.parametrize("entered", ["1" * 51, "123456" + " " * 45, "\ufdfa" * 10_000, "", "\x00", "\ud800"])
def test_odd_answers_are_wrong_without_an_error(entered: str) -> None:
    """A text that is too long or malformed is a wrong answer and never an error."""
    assert len(normalise_answer(entered)) <= 50
    assert answer_digest(KEY, "r", "c", entered) != answer_digest(KEY, "r", "c", "123456")


# --- The picture ---


@pytest.mark.anyio
async def test_picture_is_a_png_of_known_size(provider: PictureCaptcha) -> None:
    """The picture is a PNG of 240 by 80 pixels, and under 30 kB, so that its data URL stays small."""
    png = await provider.picture(provider.new_challenge())
    with Image.open(io.BytesIO(png)) as picture:
        picture.verify()
        assert (picture.format, picture.size) == ("PNG", (240, 80))
    assert len(png) < 30_000


@pytest.mark.parametrize("ink", pictures.INKS)
def test_inks_contrast_with_the_background(ink: tuple[int, int, int]) -> None:
    """Each ink has the contrast that WCAG 2.2 (1.4.3) asks of text."""
    assert contrast(ink, pictures.BACKGROUND) >= 4.5


@pytest.mark.anyio
async def test_strokes_contrast_as_drawn(provider: PictureCaptcha) -> None:
    """The digits keep that contrast once they are drawn."""
    for _ in range(20):
        png = await provider.picture(provider.new_challenge())
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        counts = picture.getcolors(maxcolors=240 * 80) or []
        legible = sum(n for n, c in counts if isinstance(c, tuple) and contrast(c, pictures.BACKGROUND) >= 4.5)
        assert legible > 0.08 * 240 * 80, "the noise alone covers about 3 %"


@pytest.mark.anyio
async def test_pictures_have_shades_of_one_ink(provider: PictureCaptcha) -> None:
    """Each picture goes from the background to one ink, and the inks of pictures differ."""
    darkest = set()
    for _ in range(40):
        picture = Image.open(io.BytesIO(await provider.picture(provider.new_challenge()))).convert("RGB")
        counts = picture.getcolors(maxcolors=240 * 80) or []
        colours = sorted((colour for _, colour in counts if isinstance(colour, tuple)), key=sum)
        assert colours[-1] == pictures.BACKGROUND
        assert len(colours) <= 256
        darkest.add(colours[0])
    assert len(darkest) > 1
    assert darkest <= set(pictures.INKS)


@pytest.mark.anyio
async def test_too_many_pictures_are_refused(provider: PictureCaptcha) -> None:
    """Pictures that would wait too long are refused, and the others are drawn."""
    challenge = provider.new_challenge()
    results = await asyncio.gather(*(provider.picture(challenge) for _ in range(70)), return_exceptions=True)
    assert sum(isinstance(result, bytes) for result in results) == 66
    assert sum(isinstance(result, TooManyRequests) for result in results) == 4
    assert await provider.picture(challenge)


# --- The sound ---


@pytest.mark.anyio
@pytest.mark.parametrize("language", ["fr", "en"])
async def test_sound_is_a_short_wave(provider: PictureCaptcha, language: str) -> None:
    """The sound is a WAV of 8 kHz that takes a few seconds and under 100 kB, in both languages."""
    sound = await provider.sound(provider.new_challenge(), language)
    assert sound is not None
    with wave.open(io.BytesIO(sound)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (8000, 1, 1)
        assert 4 < wav.getnframes() / wav.getframerate() < 20
    assert len(sound) < 100_000


@pytest.mark.parametrize("digit", PictureCaptcha.alphabet)
def test_french_voices_are_clear(digit: str) -> None:
    """Each digit has two French voices, in the library's format, trimmed and neither faint nor clipped."""
    files = list((FRENCH_VOICES / digit).glob("*.wav"))
    assert len(files) == 2
    for file in files:
        with wave.open(str(file)) as wav:
            assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (8000, 1, 1)
            samples = wav.readframes(wav.getnframes())
        assert 0.2 < len(samples) / 8000 < 0.8
        assert 64 < max(abs(sample - 128) for sample in samples) < 127


@pytest.mark.anyio
async def test_full_queue_makes_no_sound(provider: PictureCaptcha, caplog: pytest.LogCaptureFixture) -> None:
    """One sound is made and four wait. Further ones are None at once, and the log does not contain the answer."""
    challenge = provider.new_challenge()
    sounds = await asyncio.gather(*(provider.sound(challenge, "en") for _ in range(7)))
    assert [sound is not None for sound in sounds] == [True] * 5 + [False] * 2
    assert await provider.sound(challenge, "en")
    assert "too many wait" in caplog.text
    assert challenge.answer not in caplog.text


@pytest.mark.anyio
async def test_cancelled_caller_keeps_its_place(provider: PictureCaptcha) -> None:
    """A caller that gives up keeps its place until its sound is made, so that work can't pile up."""
    challenge = provider.new_challenge()
    callers = [asyncio.create_task(provider.sound(challenge, "fr")) for _ in range(5)]
    await asyncio.sleep(0)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert await provider.sound(challenge, "fr") is None


@pytest.mark.anyio
async def test_dead_process_is_replaced(provider: PictureCaptcha, caplog: pytest.LogCaptureFixture) -> None:
    """A process that was killed costs the sound that was asked of it, and no other."""
    child = await speaking_child(provider)
    child.kill()
    challenge = provider.new_challenge()
    assert await provider.sound(challenge, "fr") is None
    assert await provider.sound(challenge, "fr")
    assert "BrokenProcessPool" in caplog.text
    assert challenge.answer not in caplog.text


@pytest.mark.anyio
async def test_stuck_process_is_replaced(
    provider: PictureCaptcha, speaker: Voice, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that doesn't answer in time is ended: all who wait get None, and the next sound is made."""
    child = await speaking_child(provider)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    challenge = provider.new_challenge()
    speaker.timeout_seconds, patience = 0.2, speaker.timeout_seconds
    sounds = await asyncio.gather(*(provider.sound(challenge, "fr") for _ in range(3)))
    speaker.timeout_seconds = patience
    assert sounds == [None, None, None]
    assert not child.is_alive()
    assert await provider.sound(challenge, "fr")
    assert "TimeoutError" in caplog.text
    assert challenge.answer not in caplog.text


@pytest.mark.anyio
@pytest.mark.skipif(not hasattr(psutil.Process, "memory_maps"), reason="the system doesn't tell what is loaded")
async def test_process_loads_little(provider: PictureCaptcha) -> None:
    """The process that speaks loads no compiled library: not Pillow, which draws, nor what a server stands on."""
    child = await speaking_child(provider)
    assert [file.path for file in psutil.Process(child.pid).memory_maps() if "site-packages" in file.path] == []


@pytest.mark.anyio
async def test_process_ignores_interrupts(provider: PictureCaptcha) -> None:
    """Ctrl-C, which a terminal sends to the child too, prints no traceback of it and doesn't end it."""
    child = await speaking_child(provider)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGINT)
    assert await provider.sound(provider.new_challenge(), "fr")
    assert child.is_alive()


@pytest.mark.anyio
async def test_closing_ends_the_process() -> None:
    """Closing ends the process, even in the middle of a sound; those who wait get None."""
    provider = PictureCaptcha()
    child = await speaking_child(provider)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)  # It finishes no sound.
    waiting = [asyncio.create_task(provider.sound(provider.new_challenge(), "en")) for _ in range(3)]
    await asyncio.sleep(0)
    await provider.aclose()
    assert not child.is_alive()
    assert await asyncio.gather(*waiting) == [None, None, None]


@pytest.mark.process
@pytest.mark.parametrize("ending", ["ended", "killed"])
def test_process_ends_with_its_parent(ending: str) -> None:
    """A server that ends without closing, even killed, leaves no process behind, nor does one keep it running."""
    # The child inherits the output: `run` returns when both have ended.
    done = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-m", "tests.support.programs.speaker", ending],
        cwd=Path(voice.__file__).parents[2],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert int(done.stdout) > 10_000


# --- The fixed answer for client developers ---


@pytest.mark.anyio
async def test_fixed_captcha_always_has_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    """A fixed captcha always has its answer, names its characters, and is silent if a voice lacks one."""
    provider = FixedCaptcha("zebra 7")
    one, other = provider.new_challenge(), provider.new_challenge()
    assert (one.answer, provider.alphabet, provider.length) == ("ZEBRA7", "7ABERZ", 6)
    assert one.id != other.id
    assert answer_digest(KEY, "r", one.id, "Zebra7") == answer_digest(KEY, "r", one.id, one.answer)
    assert await provider.picture(one)
    assert await provider.sound(one, "en")
    assert await provider.sound(one, "fr") is None
    assert await provider.sound(one, "de") is None
    await provider.aclose()
    assert "no voice" in caplog.text
    assert "ZEBRA7" not in caplog.text


@pytest.mark.parametrize("answer", ["", "  ", "a-b", "../1", "1" * 51])
def test_fixed_answer_that_nobody_can_enter_is_refused(answer: str) -> None:
    """A fixed answer that can't be entered, or that a blank one would match, is refused at start."""
    with pytest.raises(ValueError, match="letters and digits"):
        FixedCaptcha(answer)
