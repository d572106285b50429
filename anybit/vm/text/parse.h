// The text form of programs, parsed. The grammar, where 'x' is a token, [ ] optional, { } repeated:
//
//   module      = kernel { kernel }
//   kernel      = 'kernel' name '(' [ name ':' scalar { ',' name ':' scalar } ] ')'
//                 'grid' exprs [ 'cluster' integers ] [ 'warps' integer ] block
//   scalar      = 'bool' | 'i32' | 'i64' | 'f32' | 'ptr'
//   block       = '{' { statement } '}'
//   statement   = 'let' name [ ':' scalar ] '=' expr
//               | 'var' name [ ':' scalar ] '=' expr
//               | 'set' name '=' expr
//               | 'assume' expr
//               | 'for' name 'in' 'range' '(' expr ',' expr [ ',' expr ] ')'
//                 { 'unroll' | 'pipeline' '(' integer ')' } block
//               | 'while' expr block
//               | 'if' expr block [ 'else' ( block | if ) ]
//               | 'break'
//               | 'threads' '(' integer ',' integer ')' [ 'registers' '(' integer ')' ] block
//               | [ tile [ ':' [ 'shared' ] element integers ] [ '@' layout ] '=' ]
//                 name '(' [ tile { ',' tile } ] { ',' name '=' value } ')'
//   value       = integer | integers | 'true' | 'false' | name | expr | exprs | element | text
//   integers    = '[' [ integer { ',' integer } ] ']'        integer = a constant expr
//   exprs       = '[' [ expr { ',' expr } ] ']'
//   expr        = expr infix expr | '-' expr | '!' expr | '(' expr ')' | call | literal | name
//   infix       = '||' | '&&' | '==' '!=' | '<' '<=' '>' '>=' | '<<' '>>' | '+' '-' | '*' '/' '%'
//                 (loosest first, all from the left)
//   call        = ( 'min' | 'max' | 'and' | 'or' | 'xor' ) '(' expr ',' expr ')'
//               | 'select' '(' expr ',' expr ',' expr ')'
//               | ( 'bool' | 'i32' | 'i64' | 'f32' ) '(' expr ')'
//   literal     = 12 | 0x1f | 1.5 | 1e-3 | 'inf' | 'nan' | 'true' | 'false'
//   name        = [A-Za-z_] { [A-Za-z0-9_.] }                tile = '%' name, without a space
//   text        = '"' { any byte but '"', '\' and newline | '\"' | '\\' | '\n' | '\t' | '\xhh' }
//   '"'
//
// Blanks and newlines separate tokens and mean nothing else; so does "//" to the end of the line,
// except that the comment lines right before a kernel are its documentation. Which value an
// attribute takes, and its names, is said by its row of the instruction table; unary, binary and
// compare are written by their operator's name. a % b needs its space: %b is a tile. A literal
// beside an i64 is one, and so is the first value of a var or let declared i64, what is `set` to
// one, and bounds of a loop of which one is; elsewhere write i64(5).
#pragma once

#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm {

/// The most bytes of a text.
inline constexpr size_t kMaxTextBytes = size_t{16} << 20;

/// The kernel in `text`, which holds one. Takes any bytes.
/// Post: verify(kBeforeLayouts) has passed; every Statement::location is where it begins; a result
/// without a declared type has the one its instruction gives it.
/// Errors: kInvalidArgument: "line 3, column 14: expected ',' or ')', found 'x'", or what the
/// verifier says: "line 12: load_global: offset: ...". Beyond the grammar: at most kMaxTextBytes,
/// 100,000 statements, 1024 parameters, 64 values of a list, names of kMaxNameLength, blocks 64
/// deep, expressions of kMaxExprDepth levels.
Result<Program> parse_program(std::string_view text);

/// Every kernel in `text`, at least one, their names distinct. Post, Errors: as parse_program.
Result<std::vector<Program>> parse_module(std::string_view text);

}  // namespace anybit::vm
