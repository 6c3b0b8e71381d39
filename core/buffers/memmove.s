// SPDX-License-Identifier: Apache-2.0

// An assembly file lets a package declare a function without a body.
