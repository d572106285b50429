// The text form of programs, printed; its grammar is in parse.h.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "anybit/vm/ir/program.h"

namespace anybit::vm {

/// The text of `program`: one statement a line, every tile with its type and, once known, layout.
/// Pre: verify() has passed.
/// Post: parse_program gives the same program, but for the numbers of variables and values, which
/// it counts in the order of the text; printing that gives the same text.
std::string print(const Program& program);

/// The same with comments: comment(n) stands before the n-th statement, counted from 0 in program
/// order (for_each_statement), each of its lines as a comment line; empty: none.
std::string print(const Program& program, const std::function<std::string(size_t)>& comment);

/// The kernels one after another, for parse_module.
std::string print(std::span<const Program> programs);

/// The text of one scalar expression of `program`.
std::string print_expression(const Expr& expr, const Program& program);

/// The text of one statement without its blocks: "for i in range(0, n, 64) unroll".
std::string print_statement_head(const Statement& statement, const Program& program);

}  // namespace anybit::vm
