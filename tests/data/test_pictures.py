"""Pictures of drawings: read as MNIST's images are, whatever the paper, the place, the size and the format."""

import io
import itertools
import subprocess

import numpy as np
import pytest
from data.drawings import PAPERS, SIZES, WIDTHS, anywhere, centred, strokes
from PIL import Image, ImageDraw
from tables import row

from tinygrad_mlp import nn, optim
from tinygrad_mlp.data import load_mnist
from tinygrad_mlp.data.images import read_images
from tinygrad_mlp.errors import DataError
from tinygrad_mlp.train import Trainer
from tinygrad_mlp.train.evaluation import predict


@pytest.fixture(scope="module")
def model():
    """A network that has seen each image of MNIST twice."""
    train, _ = load_mnist()
    model = nn.MLP(784, 64, 10, rng=0)
    Trainer(model, optim.Adam(model.parameters(), 0.004)).fit(train, None, 2, 64, 0)
    return model


def saved(path, picture, **options):
    picture.save(path, **options)
    return path


def stroke(size=(120, 90), ink=0, paper=255):
    """A grey picture of a line that leans, away from the middle."""
    picture = Image.new("L", size, paper)
    ImageDraw.Draw(picture).line((20, 15, 40, 70), fill=ink, width=8)
    return picture


def difference(a, b):
    return np.abs(a.astype(float) - b).mean()


def test_a_drawing_is_read_as_its_centred_original(model, tmp_path):
    """On every paper, in every width and size; `drawings.py` measures it on more of them."""
    rng = np.random.default_rng(0)
    digits, originals, read = [], [], []
    sizes = itertools.cycle(SIZES)
    for digit, width in itertools.product(range(10), WIDTHS):
        drawn = strokes(digit, rng)
        for paper in PAPERS.values():
            picture = paper(anywhere(drawn, next(sizes), width, rng), rng)
            digits.append(digit)
            originals.append(centred(drawn, width))
            read.append(read_images(saved(tmp_path / "x.png", picture))[0])
    right, right_originals = (
        np.count_nonzero(predict(model, np.array(images)).argmax(axis=1) == digits) for images in (read, originals)
    )
    assert right >= right_originals > 0.9 * len(digits)


def test_an_image_of_mnist_comes_back_as_it_is(tmp_path):
    """Also as dark ink on white."""
    images = load_mnist().test.images[:500]  # some of which touch the border
    for image, turned in itertools.product(images, (np.positive, np.invert)):
        read = read_images(saved(tmp_path / "x.png", Image.fromarray(turned(image))))
        np.testing.assert_array_equal(read, image[None])


def test_ink_keeps_its_proportions_and_lies_as_in_mnist(tmp_path):
    """In a box of 20/28, its centre of mass in the middle; for images of other shapes, too."""
    for height, width in ((28, 28), (28, 40), (56, 20), (8, 8)):
        picture = Image.new("L", (300, 300), "white")
        ImageDraw.Draw(picture).rectangle((30, 40, 89, 159), fill="black")  # 60 wide, 120 high
        read = read_images(saved(tmp_path / "x.png", picture), (height, width))[0]
        assert read.shape == (height, width)
        ys, xs = (read > 127).any(axis=1).sum(), (read > 127).any(axis=0).sum()
        assert max(ys / height, xs / width) == pytest.approx(20 / 28, abs=1.1 / min(height, width))
        assert ys / xs == pytest.approx(2, abs=2 / xs)
        for axis, side in enumerate(read.shape):
            middle = np.average(np.arange(side), weights=read.sum(axis=1 - axis, dtype=float))
            assert middle == pytest.approx(side // 2, abs=0.3)


def as_is(picture):
    return picture


def deep(scale, dtype):
    return lambda picture: Image.fromarray((np.asarray(picture, float) * scale).astype(dtype))


def with_palette(picture):
    picture = picture.convert("P")
    picture.info["transparency"] = 255  # the paper
    return picture


def coloured(ink, paper):
    def colour(picture):
        return Image.composite(*(Image.new("RGB", picture.size, c) for c in (paper, ink)), picture)

    return colour


def transparent(ink):
    def cut(picture):
        clear = Image.new("RGBA", picture.size, ink)
        clear.putalpha(picture.point(lambda light: 255 - light))
        return clear

    return cut


FORMATS = {
    "PNG": ("png", as_is, {}),
    "JPEG": ("jpg", as_is, {"quality": 95}),
    "progressive JPEG": ("jpg", as_is, {"progressive": True, "quality": 95}),
    "BMP": ("bmp", as_is, {}),
    "GIF": ("gif", as_is, {}),
    "WebP": ("webp", as_is, {"lossless": True}),
    "TIFF": ("tif", as_is, {"compression": "tiff_lzw"}),
    "black and white": ("png", lambda picture: picture.convert("1"), {}),
    "CMYK": ("jpg", lambda picture: picture.convert("CMYK"), {"quality": 95}),
    "16 bits": ("png", deep(257, np.uint16), {}),
    "12 of 16 bits": ("tif", deep(16, np.uint16), {}),
    "32 bits": ("tif", deep(70000, np.int32), {}),
    "floats to 1": ("tif", deep(1 / 255, np.float32), {}),
    "floats to 255": ("tif", deep(1, np.float32), {}),
    "dark on transparent": ("png", transparent("black"), {}),
    "light on transparent": ("png", transparent("white"), {}),
    "blue on transparent": ("webp", transparent("blue"), {"lossless": True}),
    "a transparent colour": ("png", with_palette, {}),
    "light on dark": ("png", lambda picture: picture.point(lambda light: 255 - light), {}),
    "yellow on white": ("png", coloured("#ffee00", "white"), {}),
    "red on green": ("png", coloured("#c00000", "#008000"), {}),
    "pencil": ("png", coloured("#b8b8b8", "#f0f0f0"), {}),
}


def test_formats_depths_and_colours_are_read_alike(tmp_path):
    plain = read_images(saved(tmp_path / "plain.png", stroke()))
    assert plain.max() == 255
    for case, (ending, change, options) in FORMATS.items():
        with row(case):
            read = read_images(saved(tmp_path / f"x.{ending}", change(stroke()), **options))
            assert difference(read, plain) < 4


def test_a_photo_is_turned_as_its_tag_says(tmp_path):
    """All eight orientations of EXIF."""
    plain = read_images(saved(tmp_path / "plain.png", stroke()))
    turns = [None, 0, 3, 1, 5, 4, 6, 2]  # Pillow's numbers of what undoes them
    for tag, turn in enumerate(turns, start=1):
        exif = Image.Exif()
        exif[0x0112] = tag
        picture = stroke() if turn is None else stroke().transpose(Image.Transpose(turn))
        assert difference(read_images(saved(tmp_path / "x.jpg", picture, exif=exif, quality=95)), plain) < 4


def test_a_card_with_transparent_corners_is_paper(tmp_path):
    card = stroke().convert("RGBA")
    corners = Image.new("L", card.size)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, card.width, card.height), 14, fill=255)
    card.putalpha(corners)
    plain = read_images(saved(tmp_path / "plain.png", stroke()))
    assert difference(read_images(saved(tmp_path / "card.png", card)), plain) < 2


def test_specks_and_the_edge_of_the_table_are_no_ink(tmp_path):
    plain = read_images(saved(tmp_path / "plain.png", stroke()))
    dirty = stroke()
    pen = ImageDraw.Draw(dirty)
    pen.rectangle((0, 85, 120, 90), fill=60)
    pen.point([(100, 20), (90, 60), (110, 70)], fill=0)
    assert difference(read_images(saved(tmp_path / "dirty.png", dirty)), plain) < 1


def test_a_blank_picture_is_refused(tmp_path):
    for mode, light in itertools.product(("L", "RGB", "RGBA", "I;16", "F", "1"), (0, 1)):
        path = saved(tmp_path / "x.tif", Image.new(mode, (50, 40), light))
        with row((mode, light)), pytest.raises(DataError, match="expected a drawing, got a picture without ink"):
            read_images(path)


def test_grain_and_shadow_alone_are_blank(tmp_path):
    rng = np.random.default_rng(0)
    slope = np.linspace(240, 120, 200)[:, None] + rng.normal(0, 5, (200, 300))
    with pytest.raises(DataError, match="got a picture without ink"):
        read_images(saved(tmp_path / "x.png", Image.fromarray(slope.astype(np.uint8))))


def frames(path, kind):
    stroke().save(path, kind, save_all=True, append_images=[stroke(ink=90)])


def write(content):
    return lambda path: path.write_bytes(content)


REFUSED = {
    "postscript.png": (
        write(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        "expected a picture .*, got a Post",
    ),
    "document.jpg": (write(b"%PDF-1.7\n"), "got a PDF file. Save a drawing as PNG."),
    "vector.png": (write(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "got a text in markup, such as SVG"),
    "phone.jpg": (write(b"\0\0\0\x18ftypheic\0\0\0\0"), "got a photo in a format of video, such as HEIC or AVIF"),
    "arrays.npy": (write(b"PK\3\4"), "got a zip archive, such as an .npz"),
    "text.png": (write(b"no image"), "got a file that begins with 6e 6f 20 69 6d 61 67 65"),
    "empty.png": (write(b""), "got an empty file"),
    "icon.png": (write(b"\0\0\x01\0\x01\0\x10\x10"), "got a file that begins with 00 00 01"),
    "two.gif": (lambda path: frames(path, "GIF"), "expected one picture, got several pages or frames. Save the one"),
    "two.tif": (lambda path: frames(path, "TIFF"), "expected one picture, got several pages or frames"),
    "cut.png": (lambda path: path.write_bytes(png(stroke())[:200]), "expected a picture, got a file that cannot be"),
    "nan.tif": (
        lambda path: Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(path),
        "expected pixels that are finite numbers, got NaN or infinity",
    ),
    "huge.png": (
        lambda path: Image.new("L", (8_000, 8_000)).save(path),
        "expected a picture of at most 50,000,000 pixels, got 8,000×8,000 pixels. Scale it down.",
    ),
}


def png(picture):
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def test_what_is_no_picture_of_one_drawing_is_refused(tmp_path, monkeypatch):
    """Without another program, such as Ghostscript, being started."""
    monkeypatch.setattr(subprocess, "Popen", None)
    for name, (make, message) in REFUSED.items():
        make(tmp_path / name)
        with row(name), pytest.raises(DataError, match=f"{name}: .*{message}"):
            read_images(tmp_path / name)


def test_the_kind_of_a_file_is_told_from_its_content(tmp_path):
    """A name may lie, or say nothing."""
    plain = read_images(saved(tmp_path / "plain.png", stroke()))
    for name in ("drawing", "drawing.npy", "drawing.idx3-ubyte"):
        np.testing.assert_array_equal(read_images(saved(tmp_path / name, stroke(), format="PNG")), plain)
    np.save(tmp_path / "array.npy", plain)
    (tmp_path / "array.npy").rename(tmp_path / "array.png")
    np.testing.assert_array_equal(read_images(tmp_path / "array.png"), plain)
