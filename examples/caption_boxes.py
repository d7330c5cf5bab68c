"""A caption for every box of a COCO file.

    python examples/caption_boxes.py boxes.json --images photos -o captions.json --model qwen3-vl-2b

Each annotation gets a "caption"; all else of the file stays. Boxes of one image are answered together, and small ones
are enlarged first. `lookhere batch --coco` does the same for many images, and goes on where it was stopped.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import lookhere


def main():
    parser = argparse.ArgumentParser(description="Caption every box of a COCO file.")
    parser.add_argument("boxes", type=Path, help="a JSON file with images and annotations")
    parser.add_argument("--images", type=Path, required=True, help="the folder of its images")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--prompt", help="the question  [default: the model's own]")
    parser.add_argument("--model", help="a GGUF file or a name  [default: the built-in model]")
    args = parser.parse_args()

    coco = json.loads(args.boxes.read_text(encoding="utf-8"))
    by_image = defaultdict(list)
    for annotation in coco["annotations"]:
        by_image[annotation["image_id"]].append(annotation)

    with lookhere.load(args.model) as model:
        for image in coco["images"]:
            annotations = by_image[image["id"]]
            if not annotations:
                continue
            try:
                scene = model.look(args.images / image["file_name"])
                places = [box(annotation, scene) for annotation in annotations]
                answers = scene.describe_all(places, args.prompt, zoom=True)
            except lookhere.LookhereError as error:  # this image is left out, the others go on
                print(f"{image['file_name']}: {error}", file=sys.stderr)
                continue
            for annotation, answer in zip(annotations, answers, strict=True):
                annotation["caption"] = answer.text
                print(f"{image['file_name']} {annotation['bbox']}: {answer.text}", flush=True)
    args.output.write_text(json.dumps(coco, indent=1, ensure_ascii=False), encoding="utf-8")


def box(annotation, scene):
    """COCO writes left, top, width, height, and rounds: what reaches over the edge is cut."""
    x, y, width, height = annotation["bbox"]
    return lookhere.Box(max(0, x), max(0, y), min(scene.width, x + width), min(scene.height, y + height))


if __name__ == "__main__":
    main()
