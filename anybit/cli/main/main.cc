#include "anybit/cli/command.h"

int main(int argc, char** argv) { return anybit::cli::run(argc, argv); }
