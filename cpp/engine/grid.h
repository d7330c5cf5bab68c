#pragma once

namespace lookhere {

// rows x cols language-model tokens and the rectangle of the image that they cover, in its pixels; it exceeds the image
// where the projector pads
struct TokenGrid {
    int   rows = 0;
    int   cols = 0;
    float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

} // namespace lookhere
