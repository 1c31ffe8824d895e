// What a peer's reply means for a recipient: every reply class and the few codes that stand outside their class, in one
// place. Pure; texts are the reply's and live as long.
#pragma once

#include "ringpost/message.h"
#include "ringpost/smtp.h"

namespace ringpost::deliver {

// 2xx to the end of the content: the peer took responsibility (RFC 5321 4.2.5).
message::Outcome taken(const smtp::Reply&);

// 4xx or 5xx to MAIL, DATA, BDAT or the content, by its first digit (RFC 5321 4.2.1); anything else is no refusal and
// means that the dialogue is broken: later, 4.5.0.
message::Outcome refusal(const smtp::Reply&);

// The same for RCPT, where a 552 that says nothing nearer means "too many recipients" (RFC 5321 4.5.3.1.10): later.
message::Outcome recipient_refusal(const smtp::Reply&);

// The peer takes no further recipients in this transaction: those left go in the next one (RFC 5321 4.5.3.1.10).
bool too_many_recipients(const smtp::Reply&);

// A banner, EHLO or HELO that is not 2xx. Always later, also for a 5xx: it speaks of this client and this host, not of
// the message, and blocklists forget; the words of a 554 (RFC 5321 3.1) are kept.
message::Outcome host_refusal(const smtp::Reply&);

// Our own finding about a connection or a dialogue.
message::Outcome finding(smtp::EnhancedCode, View text);

}  // namespace ringpost::deliver
