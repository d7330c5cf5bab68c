// Describes a box of an image with a model of the Qwen-VL families, without Python.
//
//   describe MODEL.gguf MMPROJ.gguf IMAGE.ppm X0,Y0,X1,Y1 STRENGTH LAYER:HEAD,LAYER:HEAD,... "QUESTION"
//
// The heads and the strength that suit a model are in its head set: lookhere heads show MODEL

#include "engine/error.h"
#include "engine/projector.h"
#include "engine/sampler.h"
#include "engine/session.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

namespace {

struct Picture {
    int                  width  = 0;
    int                  height = 0;
    std::vector<uint8_t> pixels; // (height, width, 3), RGB
};

Picture read_ppm(const std::string & path) {
    std::ifstream file(path, std::ios::binary);
    std::string   kind;
    Picture       picture;
    int           most = 0;
    file >> kind >> picture.width >> picture.height >> most;
    if (kind != "P6" || most != 255 || picture.width < 1 || picture.height < 1) {
        throw lookhere::Error(path + " is not a binary PPM file of 8 bits");
    }
    file.get();
    picture.pixels.resize((size_t) picture.width * picture.height * 3);
    if (!file.read((char *) picture.pixels.data(), (std::streamsize) picture.pixels.size())) {
        throw lookhere::Error(path + " is cut off");
    }
    return picture;
}

// the share of from..to that lies in low..high
double share(double low, double high, double from, double to) {
    return std::max(0.0, std::min(high, to) - std::max(low, from)) / (to - from);
}

// (rows, cols) nats: the tokens that the box covers are raised, the others lowered
std::vector<float> bias(const lookhere::TokenGrid & grid, const double (&box)[4], double strength) {
    const double       width = (grid.x1 - grid.x0) / grid.cols, height = (grid.y1 - grid.y0) / grid.rows;
    std::vector<float> all;
    for (int row = 0; row < grid.rows; row++) {
        for (int col = 0; col < grid.cols; col++) {
            const double x = grid.x0 + col * width, y = grid.y0 + row * height;
            const double covered = share(box[0], box[2], x, x + width) * share(box[1], box[3], y, y + height);
            all.push_back((float) (covered >= 1.0 / 16 ? strength + std::log(covered) : -strength));
        }
    }
    return all;
}

void describe(char ** given) {
    const lookhere::Model model(given[0], {});
    lookhere::Projector   projector(given[1], model, {});
    lookhere::Session     session(model, {});
    const Picture         picture = read_ppm(given[2]);

    double box[4];
    if (std::sscanf(given[3], "%lf,%lf,%lf,%lf", &box[0], &box[1], &box[2], &box[3]) != 4) {
        throw lookhere::Error(std::string(given[3]) + " is not a box; expected x0,y0,x1,y1");
    }
    std::vector<lookhere::Head> heads;
    std::istringstream          list(given[5]);
    for (std::string text; std::getline(list, text, ',');) {
        lookhere::Head head;
        if (std::sscanf(text.c_str(), "%d:%d", &head.layer, &head.head) != 2) {
            throw lookhere::Error(text + " is not a head; expected layer:head");
        }
        heads.push_back(head);
    }

    // the prompt, as these models' chat template writes it: text, the image, text
    const auto image = projector.encode(picture.pixels.data(), picture.width, picture.height, nullptr);
    session.decode(model.tokenize("<|im_start|>user\n", true), {}, 0, nullptr);

    lookhere::Steering steering;
    int                position = session.position(0);
    for (const lookhere::Part & part : image->parts) {
        if (part.grid) {
            const auto & grid = *part.grid;
            steering.spans.push_back({position, grid.rows, grid.cols, bias(grid, box, std::atof(given[4])), part.cells});
        }
        position += part.positions;
    }
    session.decode_image(*image, 0, nullptr);

    const auto question  = model.tokenize(given[6] + std::string("<|im_end|>\n<|im_start|>assistant\n"), true);
    steering.prompt_end  = session.position(0) + (int) question.size();
    steering.first_query = steering.prompt_end - 1; // the token that chooses the first word
    session.set_heads(heads, 0);
    session.steer(steering, 0);
    session.decode(question, {(int) question.size() - 1}, 0, nullptr);

    lookhere::Sampler sampler({});
    for (int i = 0; i < 64; i++) {
        const int token = sampler.sample(session, -1);
        if (model.is_end(token)) {
            break;
        }
        std::cout << model.piece(token, false) << std::flush;
        session.decode({token}, {0}, 0, nullptr);
    }
    std::cout << '\n';
}

} // namespace

int main(int argc, char ** argv) {
    if (argc != 8) {
        std::cerr << "describe MODEL.gguf MMPROJ.gguf IMAGE.ppm X0,Y0,X1,Y1 STRENGTH LAYER:HEAD,... QUESTION\n";
        return 2;
    }
    try {
        describe(argv + 1);
    } catch (const lookhere::Error & error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
