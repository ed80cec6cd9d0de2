// Settings of tokenizer_config.json that change no id.
#pragma once

#include <string_view>

namespace dupq_tool {

inline constexpr std::string_view harmless_settings[] = {"add_prefix_space",
                                                         "add_bos_token",
                                                         "add_eos_token",
                                                         "backend",
                                                         "clean_up_tokenization_spaces",
                                                         "clean_text",
                                                         "chat_template",
                                                         "do_basic_tokenize",
                                                         "do_lower_case",
                                                         "errors",
                                                         "from_slow",
                                                         "full_tokenizer_file",
                                                         "init_inputs.*",
                                                         "is_local",
                                                         "legacy",
                                                         "local_files_only",
                                                         "max_len",
                                                         "max_length",
                                                         "model_max_length",
                                                         "name_or_path",
                                                         "never_split.*",
                                                         "pad_to_multiple_of",
                                                         "pad_token_type_id",
                                                         "padding",
                                                         "padding_side",
                                                         "processor_class",
                                                         "special_tokens_map_file",
                                                         "stride",
                                                         "strip_accents",
                                                         "tokenizer_file",
                                                         "tokenize_chinese_chars",
                                                         "transformers_version",
                                                         "trim_offsets",
                                                         "truncation",
                                                         "truncation_strategy",
                                                         "use_fast",
                                                         "verbose",
                                                         "vocab_file",
                                                         "wordpieces_prefix"};

}  // namespace dupq_tool
