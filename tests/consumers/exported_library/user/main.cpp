// SPDX-License-Identifier: Apache-2.0
bool has_model();

int main() { return has_model() ? 0 : 1; }
