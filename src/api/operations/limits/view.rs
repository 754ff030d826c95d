//! Limits, for the OpenAPI document. What is read and shown is `workflow::limits::Settings`.

use utoipa::ToSchema;
use uuid::Uuid;

/// All limits of an account. What is left out is not limited.
#[derive(ToSchema)]
#[schema(as = Limits, rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
pub struct LimitsSchema {
    /// Of quiet hours that name none; UTC when left out. An IANA name or a Windows id.
    #[schema(example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// Of all messages of the account; one for each period at most.
    #[schema(max_items = 4)]
    rates: Option<Vec<RateSchema>>,
    #[schema(max_items = 1_000)]
    senders: Option<Vec<SenderSchema>>,
    /// Of the messages to one recipient, whoever it is; one for each period at most.
    #[schema(max_items = 4)]
    recipients: Option<Vec<RateSchema>>,
    #[schema(max_items = 20)]
    quiet_hours: Option<Vec<QuietHoursSchema>>,
    /// Steps that act outside (messages, calls, HTTP requests) and may be under way at once.
    #[schema(minimum = 1, maximum = 1_000_000)]
    concurrency: Option<i32>,
    #[schema(max_items = 1_000)]
    definitions: Option<Vec<DefinitionLimitSchema>>,
}

/// So many in any stretch of time of that length.
#[derive(ToSchema)]
#[schema(as = Rate)]
#[expect(dead_code, reason = "a description")]
struct RateSchema {
    #[schema(minimum = 1, maximum = 1_000_000, example = 30)]
    messages: i32,
    per: PeriodSchema,
}

#[derive(ToSchema)]
#[schema(as = Period, rename_all = "lowercase")]
#[expect(dead_code, reason = "a description")]
enum PeriodSchema {
    Second,
    Minute,
    Hour,
    Day,
}

#[derive(ToSchema)]
#[schema(as = SenderLimit)]
#[expect(dead_code, reason = "a description")]
struct SenderSchema {
    /// A subaccount, or a number or name that messages are sent from.
    #[schema(example = "acme_sms", min_length = 1, max_length = 100)]
    sender: String,
    /// One for each period at most.
    #[schema(max_items = 4)]
    rates: Vec<RateSchema>,
}

/// While a clock of the zone shows these times, messages wait.
#[derive(ToSchema)]
#[schema(as = QuietHours, rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
struct QuietHoursSchema {
    #[schema(example = "21:00", pattern = "^[0-2][0-9]:[0-5][0-9]$")]
    from: String,
    /// The first minute that is not quiet; before `from`: of the next day; the same: a whole day.
    #[schema(example = "08:00", pattern = "^[0-2][0-9]:[0-5][0-9]$")]
    to: String,
    /// The account's when left out.
    time_zone: Option<String>,
    /// On which they begin; all when left out.
    #[schema(max_items = 20)]
    days: Option<Vec<DaySchema>>,
    /// All when left out.
    #[schema(max_items = 20)]
    channels: Option<Vec<ChannelSchema>>,
}

#[derive(ToSchema)]
#[schema(as = Day, rename_all = "lowercase")]
#[expect(dead_code, reason = "a description")]
enum DaySchema {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

#[derive(ToSchema)]
#[schema(as = LimitedChannel, rename_all = "lowercase")]
#[expect(dead_code, reason = "a description")]
enum ChannelSchema {
    Sms,
    Chat,
    Voice,
}

#[derive(ToSchema)]
#[schema(as = DefinitionLimit, rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
struct DefinitionLimitSchema {
    definition_id: Uuid,
    /// Steps of it that act outside and may be under way at once.
    #[schema(minimum = 1, maximum = 1_000_000)]
    concurrency: i32,
}
