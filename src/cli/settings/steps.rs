//! Step types, in a list with commas.

use std::sync::Arc;

use trunkline_workflow::step::StepType;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepList(pub Arc<[StepType]>);

/// As definitions spell them; also those that only workflows of the Workflows API have.
pub fn parse_steps(text: &str) -> Result<StepList, String> {
    let mut types = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        let step_type = StepType::parse_stored(part).ok_or_else(|| {
            let all = StepType::ALL.into_iter().chain(StepType::INTERNAL);
            let all: Vec<&str> = all.map(StepType::name).collect();
            format!("`{part}` is no step type; there are {}", all.join(", "))
        })?;
        if !types.contains(&step_type) {
            types.push(step_type);
        }
    }
    Ok(StepList(types.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_types_are_read_from_a_list() {
        let read = |text| parse_steps(text).map(|types| types.0.to_vec());
        assert_eq!(
            read("httprequest, SMS,HttpRequest,SendMessage"),
            Ok(vec![StepType::HttpRequest, StepType::Sms, StepType::SendMessage])
        );
        for bad in ["", " ", "SMS,", "Http Request", "SMS;If"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
