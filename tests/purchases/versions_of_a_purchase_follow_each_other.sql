-- Guards: the versions of a purchase are numbered 1, 2, 3 without a gap, never overlap, at most the last is current,
-- and each was open for a day at least. Without it an as-of query could find two versions of one day, or none.
with versions as (
    select
        *,
        row_number() over (partition by purchase_id order by version) as expected_version,
        lag(valid_to) over (partition by purchase_id order by version) as valid_to_before,
        lag(closed_on) over (partition by purchase_id order by version) as closed_before
    from {{ ref('purchases') }}
)

select * from versions
where
    version <> expected_version
    or (version > 1 and coalesce(valid_to_before > valid_from, true))
    or (version > 1 and coalesce(closed_before > recorded_on, true))
    or valid_to <= valid_from
    or closed_on <= recorded_on
    or (valid_to is null) <> (closed_on is null)
