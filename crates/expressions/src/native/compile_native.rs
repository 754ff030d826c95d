//! Tells from the syntax tree of a script whether the fast path can evaluate it, and how.

use oxc_ast::ast::{
    Argument, BinaryExpression, BinaryOperator, CallExpression, ChainElement, ComputedMemberExpression,
    Expression, LogicalExpression, LogicalOperator, StaticMemberExpression, TemplateLiteral, UnaryOperator,
};

use super::syntax::{Link, Method, Native, Operator, Root};
use crate::script::{Name, resolve_name};

/// Deeper scripts are left to QuickJS, so that evaluation needs little stack.
const MAX_DEPTH: usize = 32;

/// The script as the fast path evaluates it, or none if it cannot. The script has no arrow functions where
/// this looks, so that every identifier is a free one.
pub(crate) fn compile_native(expression: &Expression<'_>) -> Option<Native> {
    compile(expression, 0)
}

fn compile(expression: &Expression<'_>, depth: usize) -> Option<Native> {
    if depth > MAX_DEPTH {
        return None;
    }
    let next = |expression: &Expression<'_>| compile(expression, depth + 1);
    match expression {
        Expression::NullLiteral(_) => Some(Native::Null),
        Expression::BooleanLiteral(literal) => Some(Native::Bool(literal.value)),
        Expression::NumericLiteral(literal) if !is_old_octal(literal.raw.as_deref()) => {
            Some(Native::Number(literal.value))
        }
        Expression::StringLiteral(literal)
            if !literal.lone_surrogates && !has_old_octal(literal.raw.as_deref()) =>
        {
            Some(Native::Text(literal.value.to_string()))
        }
        Expression::ParenthesizedExpression(inner) => next(&inner.expression),
        Expression::UnaryExpression(unary) => match unary.operator {
            UnaryOperator::LogicalNot => Some(Native::Not(Box::new(next(&unary.argument)?))),
            UnaryOperator::UnaryNegation => Some(Native::Negate(Box::new(next(&unary.argument)?))),
            _ => None,
        },
        Expression::BinaryExpression(binary) => compile_binary(binary, depth + 1),
        Expression::LogicalExpression(logical) => compile_logical(logical, depth + 1),
        Expression::ConditionalExpression(choice) => Some(Native::Choose(Box::new((
            next(&choice.test)?,
            next(&choice.consequent)?,
            next(&choice.alternate)?,
        )))),
        Expression::TemplateLiteral(template) => compile_template(template, depth + 1),
        Expression::CallExpression(call) if matches!(call.callee, Expression::Identifier(_)) => {
            compile_helper(call, depth + 1)
        }
        Expression::Identifier(identifier) => match identifier.name.as_str() {
            "undefined" => Some(Native::Undefined),
            "NaN" => Some(Native::Number(f64::NAN)),
            "Infinity" => Some(Native::Number(f64::INFINITY)),
            _ => compile_chain(expression, depth + 1),
        },
        _ => compile_chain(expression, depth + 1),
    }
}

fn compile_binary(binary: &BinaryExpression<'_>, depth: usize) -> Option<Native> {
    let operator = match binary.operator {
        BinaryOperator::Equality => Operator::Equal,
        BinaryOperator::Inequality => Operator::NotEqual,
        BinaryOperator::StrictEquality => Operator::StrictEqual,
        BinaryOperator::StrictInequality => Operator::StrictNotEqual,
        BinaryOperator::LessThan => Operator::Less,
        BinaryOperator::LessEqualThan => Operator::LessOrEqual,
        BinaryOperator::GreaterThan => Operator::Greater,
        BinaryOperator::GreaterEqualThan => Operator::GreaterOrEqual,
        BinaryOperator::Addition => Operator::Add,
        BinaryOperator::Subtraction => Operator::Subtract,
        BinaryOperator::Multiplication => Operator::Multiply,
        BinaryOperator::Division => Operator::Divide,
        BinaryOperator::Remainder => Operator::Remainder,
        _ => return None,
    };
    let sides = (compile(&binary.left, depth)?, compile(&binary.right, depth)?);
    Some(Native::Binary(operator, Box::new(sides)))
}

fn compile_logical(logical: &LogicalExpression<'_>, depth: usize) -> Option<Native> {
    let sides = Box::new((compile(&logical.left, depth)?, compile(&logical.right, depth)?));
    Some(match logical.operator {
        LogicalOperator::And => Native::And(sides),
        LogicalOperator::Or => Native::Or(sides),
        LogicalOperator::Coalesce => Native::Coalesce(sides),
    })
}

/// `0777` and `08`, which are no numbers where scripts run (strict mode).
fn is_old_octal(written: Option<&str>) -> bool {
    matches!(written.map(str::as_bytes), Some([b'0', b'0'..=b'9', ..]))
}

/// `'\101'` and `'\8'`, no characters there either; `'\0'` alone is one.
fn has_old_octal(written: Option<&str>) -> bool {
    let mut rest = written.unwrap_or_default().bytes().peekable();
    while let Some(byte) = rest.next() {
        let escaped = if byte == b'\\' { rest.next() } else { None };
        match escaped {
            Some(b'0') if !rest.peek().is_some_and(u8::is_ascii_digit) => {}
            Some(b'0'..=b'9') => return true,
            _ => {}
        }
    }
    false
}

fn compile_template(template: &TemplateLiteral<'_>, depth: usize) -> Option<Native> {
    let mut pieces = Vec::new();
    let mut expressions = template.expressions.iter();
    for quasi in &template.quasis {
        if quasi.lone_surrogates {
            return None;
        }
        pieces.push(Native::Text(quasi.value.cooked?.to_string()));
        if let Some(expression) = expressions.next() {
            pieces.push(compile(expression, depth)?);
        }
    }
    Some(Native::Join(pieces))
}

fn compile_helper(call: &CallExpression<'_>, depth: usize) -> Option<Native> {
    let Expression::Identifier(callee) = &call.callee else {
        return None;
    };
    match resolve_name(&callee.name) {
        Name::Helper(helper) if !call.optional => {
            Some(Native::Call(helper, compile_arguments(&call.arguments, depth)?))
        }
        _ => None,
    }
}

fn compile_arguments(arguments: &[Argument<'_>], depth: usize) -> Option<Vec<Native>> {
    arguments.iter().map(|argument| compile(argument.as_expression()?, depth)).collect()
}

fn compile_chain(expression: &Expression<'_>, depth: usize) -> Option<Native> {
    let mut links = Vec::new();
    let root = chain(expression, &mut links, depth)?;
    if root == Root::Data && links.is_empty() {
        return None;
    }
    Some(Native::Chain(root, links))
}

/// Puts the links of a chain, from the left to the right, and answers with its root.
fn chain(expression: &Expression<'_>, links: &mut Vec<Link>, depth: usize) -> Option<Root> {
    if depth > MAX_DEPTH {
        return None;
    }
    match expression {
        Expression::Identifier(identifier) => match resolve_name(&identifier.name) {
            Name::Data => Some(Root::Data),
            Name::Step => Some(Root::Step),
            Name::Member => {
                links.push(Link::Member(identifier.name.to_string()));
                Some(Root::Data)
            }
            Name::Helper(_) | Name::Builtin | Name::Forbidden => None,
        },
        Expression::StaticMemberExpression(member) => static_member(member, links, depth),
        Expression::ComputedMemberExpression(member) => computed_member(member, links, depth),
        Expression::CallExpression(call) => method_call(call, links, depth),
        Expression::ParenthesizedExpression(inner) => chain(&inner.expression, links, depth + 1),
        Expression::ChainExpression(whole) => match &whole.expression {
            ChainElement::CallExpression(call) => method_call(call, links, depth),
            ChainElement::StaticMemberExpression(member) => static_member(member, links, depth),
            ChainElement::ComputedMemberExpression(member) => computed_member(member, links, depth),
            _ => None,
        },
        _ => None,
    }
}

fn static_member(member: &StaticMemberExpression<'_>, links: &mut Vec<Link>, depth: usize) -> Option<Root> {
    let root = chain(&member.object, links, depth + 1)?;
    links.push(Link::Member(member.property.name.to_string()));
    Some(root)
}

fn computed_member(
    member: &ComputedMemberExpression<'_>,
    links: &mut Vec<Link>,
    depth: usize,
) -> Option<Root> {
    let root = chain(&member.object, links, depth + 1)?;
    links.push(match compile(&member.expression, depth + 1)? {
        Native::Text(name) => Link::Member(name),
        key => Link::Item(key),
    });
    Some(root)
}

fn method_call(call: &CallExpression<'_>, links: &mut Vec<Link>, depth: usize) -> Option<Root> {
    let Expression::StaticMemberExpression(callee) = &call.callee else {
        return None;
    };
    if call.optional {
        return None;
    }
    let root = chain(&callee.object, links, depth + 1)?;
    let method = Method::named(&callee.property.name, call.arguments.len())?;
    links.push(Link::Call(method, compile_arguments(&call.arguments, depth + 1)?));
    Some(root)
}
