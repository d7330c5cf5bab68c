"""A web app: click on an image, and the model describes what is there.

    pip install gradio
    python examples/gradio_app.py --image strip.png

The answer streams, and the second image shows where the model looked.
"""

import argparse

import gradio as gr
import lookhere


def make_app(model, image=None):
    """An app for a loaded model."""

    def describe(shown, reach, event: gr.SelectData):
        """The answer as it grows, then where the model looked."""
        height, width = shown.shape[:2]
        x, y = event.index
        half = max(width, height) * reach / 200
        box = lookhere.Box(max(0, x - half), max(0, y - half), min(width, x + half), min(height, y + half))
        scene = model.look(shown)
        text, steps = "", []
        with scene.stream(at=box) as run:
            for step in run:
                steps.append(step)
                text += step.text
                yield text, None
        yield text, run.answer(steps).heatmap(scene) if model.head_set else None

    with gr.Blocks(title="lookhere") as app:
        gr.Markdown("## Click on the image\nThe second image then shows where the model looked.")
        with gr.Row():
            shown = gr.Image(image, show_label=False, interactive=True)
            looked = gr.Image(show_label=False, interactive=False)
        reach = gr.Slider(2, 50, 8, step=1, label="Size of the box, in percent of the longer side")
        answer = gr.Textbox(label="Answer", lines=2)
        shown.select(describe, [shown, reach], [answer, looked])
    return app


def main():
    parser = argparse.ArgumentParser(description="Click on an image in the browser.")
    parser.add_argument("--image", help="the image at first")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--model", help="a GGUF file or a name  [default: the built-in model]")
    args = parser.parse_args()
    with lookhere.load(args.model) as model:
        make_app(model, args.image).launch(server_port=args.port)


if __name__ == "__main__":
    main()
