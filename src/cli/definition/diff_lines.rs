//! What differs between two texts, line by line.

/// Equal lines that are shown around a difference.
const AROUND: usize = 3;
/// Above this many comparisons everything in between counts as changed.
const MOST: usize = 4_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Old(&'a str),
    New(&'a str),
}

/// Old lines with `-`, new ones with `+`, and a few around them; `…` where equal lines are left out.
pub(super) fn diff_lines(old: &str, new: &str) -> String {
    let lines = compare(&old.lines().collect::<Vec<_>>(), &new.lines().collect::<Vec<_>>());
    let changed: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !matches!(line, Line::Same(_)))
        .map(|(at, _)| at)
        .collect();
    let mut text = String::new();
    let mut left_out = false;
    for (at, line) in lines.iter().enumerate() {
        // The nearest change before and after it.
        let next = changed.partition_point(|change| *change < at);
        let near =
            changed[next.saturating_sub(1)..].iter().take(2).any(|change| change.abs_diff(at) <= AROUND);
        if !near {
            left_out = true;
            continue;
        }
        if std::mem::take(&mut left_out) {
            text.push_str("…\n");
        }
        let (sign, line) = match line {
            Line::Same(line) => (' ', line),
            Line::Old(line) => ('-', line),
            Line::New(line) => ('+', line),
        };
        text.push(sign);
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn compare<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let before = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[before..], &new[before..]);
    let after = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_part, new_part) = (&old_rest[..old_rest.len() - after], &new_rest[..new_rest.len() - after]);
    let mut lines: Vec<Line<'a>> = old[..before].iter().map(|line| Line::Same(line)).collect();
    lines.extend(between(old_part, new_part));
    lines.extend(old[old.len() - after..].iter().map(|line| Line::Same(line)));
    lines
}

/// Along the longest sequence of lines that both have.
fn between<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    if old.len() * new.len() > MOST {
        return old
            .iter()
            .map(|line| Line::Old(line))
            .chain(new.iter().map(|line| Line::New(line)))
            .collect();
    }
    // longest[i][j]: of old from i on and new from j on.
    let width = new.len() + 1;
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = if old[i] == new[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::with_capacity(old.len() + new.len());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(Line::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (i < old.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1])
        {
            lines.push(Line::Old(old[i]));
            i += 1;
        } else {
            lines.push(Line::New(new[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::diff_lines;

    #[test]
    fn what_changed_is_shown_with_a_few_lines_around_it() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl";
        let new = "a\nb\nc\nd\ne\nF\ng\nh\ni\nj\nk\nl\nm";
        assert_eq!(diff_lines(old, new), "…\n c\n d\n e\n-f\n+F\n g\n h\n i\n j\n k\n l\n+m\n");
        assert_eq!(diff_lines("a\nx\nb\nc", "a\nb\ny\nc"), " a\n-x\n b\n+y\n c\n");
        assert_eq!(diff_lines("", "a"), "+a\n");
        assert_eq!(diff_lines("a", "a"), "");
    }
}
