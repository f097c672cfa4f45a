// Names of a statement looked up in the catalogue, before the rules judge it.
//
//   Statement resolved = resolve(analysis.statements[i], session.names(), catalog.get());
//   rules.decide(resolved, session);
//
// Relations get the schema that the session would find them in, and their real kind; relations
// behind views are added as read through the view (Object::implied: rules that deny them count,
// none need cover them). Functions that may do anything (volatile ones) and those that are not
// found are marked, and the rules take each as a procedural effect unless
// policies.db.safe_function_allowlist names it.
//
// Fails closed: what is not found keeps every schema that it might be in, and is
// catalog_unresolved. Without a catalogue (null) everything is catalog_unavailable and every
// function that the classifier does not know is taken for volatile.
#pragma once

#include "sqlguard/catalog/catalog.h"
#include "sqlguard/classifier/effect.h"
#include "sqlguard/classifier/name_resolution.h"

namespace agentsh::sql {

Statement resolve(Statement statement, const NameContext& names, const Catalog* catalog);

// May the statement change what a Catalog tells? Then a new one is to be asked for when it has
// completed (for others: when its transaction has).
bool changes_catalog(const Statement& statement);

}  // namespace agentsh::sql
