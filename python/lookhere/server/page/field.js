// A field to write in.

/** Whether a key belongs to the input method, as that of Japanese; Safari says so in the old way. */
export const composes = (event) => event.isComposing || event.keyCode === 229;

/** Makes it as high as its text where the browser's CSS cannot say so (field-sizing). Gives what is to be called where the text was set by code. */
export function fitted(field) {
  if (CSS.supports("field-sizing", "content")) return () => {};
  const fit = () => {
    field.style.height = "auto";
    if (field.scrollHeight) field.style.height = `${field.scrollHeight}px`; // 0 where it is not shown
  };
  field.addEventListener("input", fit);
  addEventListener("resize", fit);
  return fit;
}
