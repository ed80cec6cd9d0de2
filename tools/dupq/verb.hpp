// What a verb is: its words, its help, and the options that many verbs have.
#pragma once

#include <string_view>
#include <vector>

#include "args.hpp"
#include "row_source.hpp"

namespace dupq_tool {

struct verb {
  std::string_view name;
  std::string_view summary;
  std::string_view usage;  ///< what follows the name
  std::string_view help;   ///< more lines, the verb's own options among them
  std::vector<option> options;
  bool runs_model = false;          ///< has model_option_list
  bool reads_texts = false;         ///< has text_option_list
  std::size_t least = 1, most = 1;  ///< positionals
  void (*run)(const arguments&) = nullptr;
};

inline constexpr option model_option_list[] = {{"--device", true},     {"--threads", true}, {"--kernels", true},
                                               {"--max-length", true}, {"--prompt", true},  {"--literal", false}};
inline constexpr std::string_view model_option_help =
    "  --device D      cpu (default) or cuda, an NVIDIA GPU; CUDA_VISIBLE_DEVICES chooses which\n"
    "  --threads N     threads to use (default: the cores that this process may use)\n"
    "  --kernels NAME  force a kernel table; `dupq info` lists them, results are the same\n"
    "  --max-length N  cut texts to N tokens, special tokens included\n"
    "  --prompt NAME   one of the model's prompts (`dupq info` lists them) before each text, or none\n"
    "  --literal       \"[SEP]\" in a text is text, not the special token\n";

}  // namespace dupq_tool
