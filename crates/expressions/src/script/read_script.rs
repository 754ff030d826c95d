//! Reads the syntax tree of a script once: refuses what is forbidden, notes what could change values, and
//! rewrites the source, `a.b[c].d()` to `data?.a?.b?.[data?.c]?.d()`.

use oxc_ast::ast::{
    Argument, ArrowFunctionExpression, BindingIdentifier, BindingProperty, CallExpression,
    ComputedMemberExpression, Expression, IdentifierReference, ObjectPattern, ObjectProperty, PropertyKey,
    PropertyKind, Statement, StaticMemberExpression, UnaryOperator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::GetSpan as _;

use super::ScriptError;
use super::names::{Name, resolve_name};
use super::side_effects::{is_harmless_method, is_risky_member};

pub(super) struct Read {
    pub code: String,
    pub mutates: bool,
}

pub(super) fn read_script(source: &str, expression: &Expression<'_>) -> Result<Read, ScriptError> {
    let mut reader = Reader::default();
    reader.visit_expression(expression);
    if let Some((refusal, at)) = reader.refusal {
        return Err(ScriptError::invalid(refusal, at as usize));
    }
    let mutates = reader.mutates || (reader.has_calls && reader.has_computed_names);
    let code =
        splice(source, reader.edits).ok_or_else(|| ScriptError::invalid("it could not be rewritten", 0))?;
    Ok(Read { code, mutates })
}

/// Replaces these byte ranges, none of which overlap.
fn splice(source: &str, mut edits: Vec<Edit>) -> Option<String> {
    edits.sort_by_key(|edit| (edit.start, edit.end));
    let mut code = String::with_capacity(source.len() + edits.len() * 6);
    let mut at = 0;
    for edit in edits {
        code.push_str(source.get(at..edit.start)?);
        code.push_str(&edit.text);
        at = edit.end;
    }
    code.push_str(source.get(at..)?);
    Some(code)
}

struct Edit {
    start: usize,
    end: usize,
    text: String,
}

#[derive(Default)]
struct Reader {
    /// The names that the arrow functions around bind.
    bound: Vec<String>,
    edits: Vec<Edit>,
    /// What is not allowed, and at which byte.
    refusal: Option<(String, u32)>,
    mutates: bool,
    has_calls: bool,
    has_computed_names: bool,
}

impl Reader {
    fn refuse(&mut self, what: &str, at: u32) {
        self.refusal.get_or_insert_with(|| (format!("{what} not allowed"), at));
    }

    fn edit(&mut self, start: u32, end: u32, text: impl Into<String>) {
        self.edits.push(Edit { start: start as usize, end: end as usize, text: text.into() });
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|bound| bound == name)
    }

    /// What has to stand in front of a name so that it is looked up in `data`.
    fn prefix(&mut self, name: &str, at: u32) -> &'static str {
        if self.is_bound(name) {
            return "";
        }
        match resolve_name(name) {
            Name::Member => "data?.",
            Name::Forbidden => {
                self.refuse(&format!("`{name}` is"), at);
                ""
            }
            Name::Data | Name::Step | Name::Helper(_) | Name::Builtin => "",
        }
    }

    fn note_call(&mut self, call: &CallExpression<'_>) {
        self.has_calls = true;
        let harmless = match &call.callee {
            Expression::Identifier(callee) => !self.is_bound(&callee.name),
            Expression::StaticMemberExpression(callee) => is_harmless_method(&callee.property.name),
            _ => false,
        };
        if !harmless {
            self.mutates = true;
        }
    }

    /// Without assignments a function can only call itself when it is handed to itself.
    fn refuse_recursion(&mut self, call: &CallExpression<'_>) {
        let Expression::Identifier(callee) = &call.callee else {
            return;
        };
        let itself = |argument: &Argument<'_>| matches!(argument, Argument::Identifier(argument) if argument.name == callee.name);
        if self.is_bound(&callee.name) && call.arguments.iter().any(itself) {
            self.refuse("recursive functions are", call.span.start);
        }
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_expression(&mut self, expression: &Expression<'a>) {
        let at = expression.span().start;
        match expression {
            Expression::BooleanLiteral(_)
            | Expression::NullLiteral(_)
            | Expression::NumericLiteral(_)
            | Expression::BigIntLiteral(_)
            | Expression::RegExpLiteral(_)
            | Expression::StringLiteral(_)
            | Expression::TemplateLiteral(_)
            | Expression::Identifier(_)
            | Expression::ArrayExpression(_)
            | Expression::ArrowFunctionExpression(_)
            | Expression::BinaryExpression(_)
            | Expression::CallExpression(_)
            | Expression::ChainExpression(_)
            | Expression::ConditionalExpression(_)
            | Expression::LogicalExpression(_)
            | Expression::ObjectExpression(_)
            | Expression::ParenthesizedExpression(_)
            | Expression::SequenceExpression(_)
            | Expression::StaticMemberExpression(_)
            | Expression::ComputedMemberExpression(_) => {}
            Expression::UnaryExpression(unary) if unary.operator != UnaryOperator::Delete => {}
            Expression::UnaryExpression(_) => return self.refuse("`delete` is", at),
            Expression::AssignmentExpression(_) | Expression::UpdateExpression(_) => {
                return self.refuse("assignments are", at);
            }
            Expression::NewExpression(_) => return self.refuse("`new` is", at),
            Expression::ClassExpression(_) => return self.refuse("classes are", at),
            Expression::FunctionExpression(_) => {
                return self.refuse("functions other than arrow functions are", at);
            }
            Expression::TaggedTemplateExpression(_) => return self.refuse("tagged templates are", at),
            Expression::ThisExpression(_) => return self.refuse("`this` is", at),
            Expression::AwaitExpression(_) | Expression::YieldExpression(_) => {
                return self.refuse("asynchronous code and generators are", at);
            }
            Expression::ImportExpression(_) | Expression::ImportMeta(_) => {
                return self.refuse("imports are", at);
            }
            _ => return self.refuse("this construct is", at),
        }
        walk::walk_expression(self, expression);
    }

    fn visit_statement(&mut self, statement: &Statement<'a>) {
        match statement {
            Statement::BlockStatement(_)
            | Statement::EmptyStatement(_)
            | Statement::ExpressionStatement(_)
            | Statement::IfStatement(_)
            | Statement::ReturnStatement(_) => walk::walk_statement(self, statement),
            _ => self.refuse("statements other than `if` and `return` are", statement.span().start),
        }
    }

    fn visit_arrow_function_expression(&mut self, arrow: &ArrowFunctionExpression<'a>) {
        if arrow.r#async {
            return self.refuse("asynchronous code is", arrow.span.start);
        }
        let outer = self.bound.len();
        let mut names = BoundNames::default();
        names.visit_formal_parameters(&arrow.params);
        self.bound.append(&mut names.0);
        walk::walk_arrow_function_expression(self, arrow);
        self.bound.truncate(outer);
    }

    fn visit_identifier_reference(&mut self, identifier: &IdentifierReference<'a>) {
        let prefix = self.prefix(&identifier.name, identifier.span.start);
        if !prefix.is_empty() {
            self.edit(identifier.span.start, identifier.span.end, format!("{prefix}{}", identifier.name));
        }
    }

    fn visit_object_property(&mut self, property: &ObjectProperty<'a>) {
        if property.method || property.kind != PropertyKind::Init {
            return self.refuse("methods are", property.span.start);
        }
        if property.shorthand
            && let PropertyKey::StaticIdentifier(key) = &property.key
        {
            let prefix = self.prefix(&key.name, key.span.start);
            if !prefix.is_empty() {
                self.edit(key.span.start, key.span.end, format!("{0}: {prefix}{0}", key.name));
            }
            return;
        }
        if property.key.static_name().is_some_and(|name| is_risky_member(&name)) {
            self.mutates = true;
        }
        walk::walk_object_property(self, property);
    }

    fn visit_object_pattern(&mut self, pattern: &ObjectPattern<'a>) {
        // It takes any member out of an object, methods that change it included.
        self.mutates = true;
        walk::walk_object_pattern(self, pattern);
    }

    fn visit_binding_property(&mut self, property: &BindingProperty<'a>) {
        // The key is a name of the object's, no reference, unless it is computed.
        if property.computed {
            self.visit_property_key(&property.key);
        }
        self.visit_binding_pattern(&property.value);
    }

    fn visit_static_member_expression(&mut self, member: &StaticMemberExpression<'a>) {
        self.visit_expression(&member.object);
        if !member.optional {
            self.edit(member.object.span().end, member.property.span.start, "?.");
        }
        if is_risky_member(&member.property.name) {
            self.mutates = true;
        }
    }

    fn visit_computed_member_expression(&mut self, member: &ComputedMemberExpression<'a>) {
        self.visit_expression(&member.object);
        if !member.optional {
            let end = member.object.span().end;
            self.edit(end, end, "?.");
        }
        match &member.expression {
            Expression::NumericLiteral(_) => {}
            Expression::StringLiteral(name) if !is_risky_member(&name.value) => {}
            Expression::StringLiteral(_) => self.mutates = true,
            _ => self.has_computed_names = true,
        }
        self.visit_expression(&member.expression);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        self.note_call(call);
        self.refuse_recursion(call);
        walk::walk_call_expression(self, call);
    }
}

/// The names that the parameters of a function bind.
#[derive(Default)]
struct BoundNames(Vec<String>);

impl<'a> Visit<'a> for BoundNames {
    fn visit_binding_identifier(&mut self, identifier: &BindingIdentifier<'a>) {
        self.0.push(identifier.name.to_string());
    }

    fn visit_expression(&mut self, _: &Expression<'a>) {}
}
