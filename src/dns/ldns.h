// The one way to ldns.h: it makes macros of C++ keywords and of a function of stdio unless it is held back.
#pragma once

#ifndef __bool_true_false_are_defined
#define __bool_true_false_are_defined 1
#endif
#include <ldns/ldns.h>
#undef dprintf
