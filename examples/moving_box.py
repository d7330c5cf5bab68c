"""A box that moves through the frames of a video, described as it goes.

    python examples/moving_box.py film.mp4 --at 0:0,0,200,200 --at 90:400,100,600,300 --every 15 -o told.gif
    python examples/moving_box.py strips.gif --at 0:0,0,64,64 --at 5:320,0,384,64

--at FRAME:X0,Y0,X1,Y1 says where the box is at a frame, as a tracker would; between two of them it moves evenly. With
-o, the frames are saved with box and text. Needs imageio (pip install imageio; for MP4 also imageio-ffmpeg).
"""

import argparse
import textwrap

import imageio.v3 as iio
import lookhere
from PIL import Image, ImageDraw

BELOW = 34  # pixels for two lines of text


def key(text):
    """(frame, box) from 'frame:x0,y0,x1,y1'."""
    frame, numbers = text.split(":")
    x0, y0, x1, y1 = map(float, numbers.split(","))
    return int(frame), (x0, y0, x1, y1)


def box_at(keys, number):
    """The box at a frame; before the first key and after the last one it stands still."""
    before = max((each for each in keys if each[0] <= number), default=keys[0])
    after = min((each for each in keys if each[0] >= number), default=keys[-1])
    share = (number - before[0]) / (after[0] - before[0]) if after[0] > before[0] else 0
    return tuple(one + share * (other - one) for one, other in zip(before[1], after[1], strict=True))


def drawn(frame, box, text):
    """A frame with the box, and the text below it."""
    height, width = frame.shape[:2]
    picture = Image.new("RGB", (width, height + BELOW), "black")
    picture.paste(Image.fromarray(frame))
    pen = ImageDraw.Draw(picture)
    pen.rectangle([box[0], box[1], box[2] - 1, box[3] - 1], outline="red", width=2)
    lines = textwrap.wrap(text, max(20, width // 6), max_lines=2, placeholder=" ...")
    pen.multiline_text((4, height + 4), "\n".join(lines), fill="white")
    return picture


def main():
    parser = argparse.ArgumentParser(description="Describe a moving box in a video.")
    parser.add_argument("video")
    parser.add_argument("--at", type=key, action="append", required=True, metavar="FRAME:X0,Y0,X1,Y1")
    parser.add_argument("--every", type=int, default=1, help="frames from one description to the next")
    parser.add_argument("--prompt", help="the question  [default: the model's own]")
    parser.add_argument("-o", "--output", help="an animated GIF, WebP or PNG to write")
    parser.add_argument("--model", help="a GGUF file or a name  [default: the built-in model]")
    args = parser.parse_args()

    keys, told = sorted(args.at), []
    with lookhere.load(args.model) as model:
        for number, frame in enumerate(iio.imiter(args.video)):
            if number % args.every:
                continue
            box = box_at(keys, number)
            text = model.describe(frame, args.prompt, at=lookhere.Box(*box)).text
            print(f"frame {number}, box {', '.join(f'{value:g}' for value in box)}: {text}", flush=True)
            if args.output:
                told.append(drawn(frame, box, text))
    if told:
        told[0].save(args.output, save_all=True, append_images=told[1:], duration=1500, loop=0)


if __name__ == "__main__":
    main()
