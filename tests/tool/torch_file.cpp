// pytorch_model.bin: what PyTorch itself wrote (the fuzz target's corpus), folders with such weights, and what is
// refused.
#include "torch_file.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "tool/torch_builder.hpp"

using namespace dupq_tool;

namespace {

std::string corpus(const std::string& name) {
  std::ifstream file(std::filesystem::path(DUPQ_TEST_DIR) / "../fuzz/corpus/torch_file" / name, std::ios::binary);
  REQUIRE_MESSAGE(file, name);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::vector<float> numbers_of(const torch_file& file, const char* name) {
  const safetensors::tensor* const t = file.find(name);
  REQUIRE_MESSAGE(t != nullptr, name);
  std::vector<float> out(t->elements);
  t->read(0, out);
  return out;
}
std::vector<float> counted_up(std::size_t n) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(i);
  return out;
}

std::string trouble_of(const std::string& bytes) {
  try {
    const torch_file file(std::as_bytes(std::span(bytes)), "f");
  } catch (const failure& e) {
    return e.what();
  }
  return "";
}

std::string only(const std::string& pickle) {
  return zip_of({{"m/data.pkl", pickle}, {"m/data/0", std::string(24, 'x')}});
}

const std::string six = pickled::storage("FloatStorage", "0", 6);
std::string trouble_of_tensor(const std::string& tensor) {
  return trouble_of(only(pickled::dictionary(pickled::text("a") + tensor)));
}

}  // namespace

TEST_CASE("what PyTorch writes") {
  for (const char* name : {"layer", "protocol_4", "wide"}) {
    const std::string bytes = corpus(name);
    const torch_file file(std::as_bytes(std::span(bytes)), "f");
    CHECK(file.tensors().size() == 2);
    CHECK(numbers_of(file, "weight") == counted_up(6));
    CHECK(numbers_of(file, "bias") == counted_up(2));
    CHECK(file.find("weight")->shape == std::vector<std::uint64_t>{2, 3});
    CHECK(file.find("other") == nullptr);
  }
}

TEST_CASE("every type of numbers") {
  const std::string bytes = corpus("types");
  const torch_file file(std::as_bytes(std::span(bytes)), "f");
  for (const char* name : {"float32", "float16", "bfloat16", "float64"})
    CHECK_MESSAGE(numbers_of(file, name) == counted_up(12), name);
  const std::map<std::string, std::string> others{{"int64", "I64"}, {"int32", "I32"}, {"int16", "I16"},
                                                  {"int8", "I8"},   {"uint8", "U8"},  {"bool", "BOOL"}};
  for (const auto& other : others) {
    const safetensors::tensor* const t = file.find(other.first);
    REQUIRE_MESSAGE(t != nullptr, other.first);
    CHECK(t->type == other.second);
    CHECK(!t->is_real());
  }
}

TEST_CASE("parts of a storage, in any order") {
  const std::string bytes = corpus("views");
  const torch_file file(std::as_bytes(std::span(bytes)), "f");
  CHECK(numbers_of(file, "all") == counted_up(20));
  CHECK(numbers_of(file, "middle") == std::vector<float>{3, 4, 5, 6});
  CHECK(numbers_of(file, "apart") == std::vector<float>{0, 3, 6, 9, 12, 15, 18});
  CHECK(numbers_of(file, "one") == std::vector<float>{7});
  CHECK(numbers_of(file, "none").empty());
  CHECK(numbers_of(file, "parameter") == counted_up(4));
  std::vector<float> turned;
  for (int column = 0; column < 5; ++column)
    for (int row = 0; row < 4; ++row) turned.push_back(static_cast<float>(5 * row + column));
  CHECK(numbers_of(file, "turned") == turned);
}

TEST_CASE("a folder with pytorch_model.bin is the same model") {
  const tensor_map tensors = make_bert({});
  const model_folder folder("bert");
  const auto converted = [&] {
    (void)folder.convert();
    return folder.read("../out.gguf");
  };
  folder.write("model.safetensors", safetensors_of(tensors));
  const std::string expected = converted();
  folder.write("pytorch_model.bin", "not looked at beside safetensors");
  CHECK(converted() == expected);
  folder.remove("model.safetensors");
  folder.write("pytorch_model.bin", torch_of(tensors));
  CHECK(converted() == expected);

  folder.remove("pytorch_model.bin");  // in two files
  std::string map;
  std::map<std::string, bool> second;
  for (const auto& [name, t] : tensors) {
    const bool other = second.size() % 2 != 0;
    second[name] = other;
    map += (map.empty() ? "\"" : ",\"") + name + "\":\"" + (other ? "b.bin" : "a.bin") + "\"";
  }
  folder.write("a.bin", torch_of(tensors, [&](const std::string& name) { return !second[name]; }));
  folder.write("b.bin", torch_of(tensors, [&](const std::string& name) { return second[name]; }));
  folder.write("pytorch_model.bin.index.json", R"({"metadata": {}, "weight_map": {)" + map + "}}");
  CHECK(converted() == expected);
  std::filesystem::remove(folder.output());
  folder.remove("b.bin");
  CHECK(folder.trouble().starts_with("pytorch_model.bin.index.json: weight_map.embeddings."));
}

TEST_CASE("what is no state dict of this format") {
  const std::string again = ": load it with PyTorch and save it again, as safetensors";
  CHECK(trouble_of(corpus("legacy")) == "f: is of the format before PyTorch 1.6" + again);
  CHECK(trouble_of(std::string(257, '\0') + "ustar" + std::string(300, '\0')) ==
        "f: is of the format before PyTorch 1.6" + again);
  CHECK(trouble_of(corpus("big_endian")) == "f: was written by a big-endian machine" + again);
  CHECK(trouble_of(corpus("script")) == "f: is a TorchScript program and no state dict: save the model as safetensors");
  CHECK(trouble_of("") == "f: is no file that torch.save writes");
  CHECK(trouble_of("anything") == "f: is no file that torch.save writes");
  CHECK(trouble_of(zip_of({{"m/other", ""}})) == "f: has no data.pkl: it is no file that torch.save writes");
  CHECK(trouble_of(corpus("nested")) == "f: data.pkl: \"state_dict\" is no tensor");
  CHECK(trouble_of(corpus("itself")) == "f: data.pkl: \"a\" is no tensor");
  CHECK(trouble_of(corpus("list")) == "f: data.pkl: a dictionary of tensors is expected");
}

TEST_CASE("a pickle that calls something") {
  const std::string ends = " is in no state dict, which is all that is read";
  CHECK(trouble_of(corpus("call")) == "f: data.pkl: byte 13: global \"__builtin__.print\"" + ends);
  const auto calling = [&](const std::string& module, const std::string& name) {
    return trouble_of(only("\x80\x02" + pickled::global(module, name) + "(" + pickled::text("true") + "tR."));
  };
  for (const char* module : {"os", "posix", "subprocess", "torch", "torch._utils", "collections"})
    CHECK(calling(module, "system") == "f: data.pkl: byte 2: global \"" + std::string(module) + ".system\"" + ends);
  for (const auto& [code, name] : std::map<std::string, std::string>{{"i", "0x69 'i'"},
                                                                     {"o", "0x6f 'o'"},
                                                                     {"\x81", "0x81"},
                                                                     {"\x82", "0x82"},
                                                                     {"P", "0x50 'P'"},
                                                                     {"\x97", "0x97"}})
    CHECK(trouble_of(only("\x80\x02(" + code)) == "f: data.pkl: byte 3: instruction " + name + ends);
}

TEST_CASE("a pickle that is broken") {
  const auto said = [](const std::string& pickle) { return trouble_of(only(pickle)); };
  CHECK(said("") == "f: data.pkl: byte 0: the pickle ends too early");
  CHECK(said("\x80\x09.") == "f: data.pkl: byte 0: protocol 9 is not known");
  CHECK(said("}") == "f: data.pkl: byte 1: the pickle ends too early");
  CHECK(said("X\xFF\xFF\xFF\xFF.") == "f: data.pkl: byte 0: the pickle ends too early");
  CHECK(said("t.") == "f: data.pkl: byte 0: there is no mark");
  CHECK(said("}s.") == "f: data.pkl: byte 1: takes a value from an empty stack");
  CHECK(said("h\x05.") == "f: data.pkl: byte 0: recalls what was never remembered");
  CHECK(said("}}.") == "f: data.pkl: byte 2: ends with 2 values, one is expected");
  CHECK(said("}(Nu.") == "f: data.pkl: byte 3: a key without a value");
  CHECK(said("N(NNu.") == "f: data.pkl: byte 4: a dictionary is expected");
  CHECK(said(pickled::dictionary("NN")) == "f: data.pkl: a tensor's name is expected");
  CHECK(said(pickled::dictionary(pickled::text("a") + "N")) == "f: data.pkl: \"a\" is no tensor");
  const std::string good = pickled::text("a") + pickled::tensor(six, 0, {6}, {1});
  CHECK(said(pickled::dictionary(good)) == "");
  CHECK(said(pickled::dictionary(good + good)) == "f: tensor \"a\": is there twice");
}

TEST_CASE("tensors that are not where they should be") {
  const auto ends = [](const std::string& what) { return "f: tensor \"a\": " + what; };
  CHECK(trouble_of_tensor(pickled::tensor(six, 0, {2, 3}, {3, 1})) == "");
  CHECK(trouble_of_tensor(pickled::tensor(six, 1, {5}, {1})) == "");
  for (const auto& [first, shape, strides] :
       {std::tuple<std::uint64_t, std::vector<std::uint64_t>, std::vector<std::uint64_t>>{1, {2, 3}, {3, 1}},
        {6, {1}, {1}},
        {7, {0x7FFFFFFF}, {1}},
        {0, {0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF}, {1, 1, 1}},
        {0, {2}, {0x7FFFFFFF}},
        {0, {3, 3}, {0, 0}},
        {3, {2, 2}, {2, 2}}})
    CHECK(trouble_of_tensor(pickled::tensor(six, first, shape, strides)) == ends("lies outside its storage"));
  CHECK(trouble_of_tensor(pickled::tensor(six, 0, {6}, {})) == ends("has not as many strides as dimensions"));
  CHECK(trouble_of_tensor(pickled::tensor(six, ~std::uint64_t{0}, {6}, {1})) == ends("begins before its storage"));
  CHECK(trouble_of_tensor(pickled::tensor(six, 0, {~std::uint64_t{0}}, {1})) ==
        ends("its size and stride must be whole numbers"));
  CHECK(trouble_of_tensor(pickled::tensor(pickled::storage("FloatStorage", "1", 6), 0, {6}, {1})) ==
        ends("the archive has no data/1"));
  CHECK(trouble_of_tensor(pickled::tensor(pickled::storage("DoubleStorage", "0", 6), 0, {6}, {1})) ==
        ends("its storage has 24 bytes, not 6 numbers of 8"));
  CHECK(trouble_of_tensor(pickled::tensor("N", 0, {6}, {1}))
            .ends_with(": a tensor's storage, offset, size and stride are expected"));
  // Copies of numbers that lie in another order take no more memory than the file.
  const std::string turned = pickled::tensor("h\x01", 0, {2, 3}, {1, 2});
  std::string many = pickled::text("a") + pickled::tensor(six + "q\x01", 0, {6}, {1});
  for (int i = 0; i < 40; ++i) many += pickled::text("b" + std::to_string(i)) + turned;
  CHECK(trouble_of(only(pickled::dictionary(many))) == "");
  const std::string large(1 << 16, 'x');
  std::string amplified =
      pickled::text("a") + pickled::tensor(pickled::storage("ByteStorage", "0", 1 << 16) + "q\x01", 0, {1 << 16}, {1});
  for (int i = 0; i < 9; ++i)
    amplified += pickled::text("b" + std::to_string(i)) + pickled::tensor("h\x01", 0, {256, 256}, {1, 256});
  CHECK(trouble_of(zip_of({{"m/data.pkl", pickled::dictionary(amplified)}, {"m/data/0", large}})) ==
        "f: tensor \"b1\": more numbers lie out of order than the file has");
}

TEST_CASE("archives that are broken") {
  const std::string good = only(pickled::dictionary(pickled::text("a") + pickled::tensor(six, 0, {6}, {1})));
  REQUIRE(trouble_of(good) == "");
  CHECK(trouble_of(good + "no comment").ends_with("ends too early: its directory is missing"));
  for (std::size_t n = 4; n < good.size(); ++n) CHECK(trouble_of(good.substr(0, n)) != "");
  CHECK(trouble_of(zip_of({{"m/data.pkl", "}."}}, 8)) ==
        "f: entry \"m/data.pkl\": is compressed, which PyTorch's files never are");
  CHECK(trouble_of(zip_of({{"m/data.pkl", "}."}, {"m/data.pkl", "}."}})) == "f: entry \"m/data.pkl\": is there twice");
  const auto damaged = [&](const std::string& mark, std::size_t at, std::uint32_t value) {
    std::string bytes = good;
    bytes.replace(bytes.find(mark) + at, 4, bytes_of(value));
    return trouble_of(bytes);
  };
  CHECK(damaged("PK\1\2", 42, 5) == "f: entry \"m/data.pkl\": is not where the directory says");
  CHECK(damaged("PK\1\2", 24, 7) == "f: entry \"m/data.pkl\": is stored with another size than it has");
  CHECK(damaged("PK\1\2", 24, 0xFFFFFFFF) == "f: entry \"m/data.pkl\": has no zip64 field, which its size needs");
  CHECK(damaged("PK\5\6", 16, 0xFFFFFFFF) == "f: its directory has no zip64 part, which its size needs");
  CHECK(damaged("PK\5\6", 12, 0x7FFFFFFF) == "f: its directory lies outside the file");
}
