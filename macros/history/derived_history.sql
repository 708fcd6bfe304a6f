{#-
  The second derivation of a history: every version of every key from the judged rows of raw in one statement, for the landed
  days of the query `days` (`landed_on`). It knows nothing of the day by day one (_take_day), so that one can be held
  against the other. the design note of histories tells the closed form of valid_from. With other_columns beside the history's columns.
  `sql` gives the judged rows of every landed day.
-#}
{% macro _derived_history(source, sql, days) -%}
    {%- set checked = source.columns | map(attribute='name') | reject('equalto', source.key) | join(', ') -%}
    with daily as (
        {{ _daily_rows(source, sql, source.key ~ ' is not null') }}
    ),

    days as (
        select
            landed_on,
            row_number() over (order by landed_on) as _number
        from ({{ days }})
    ),

    numbered as (
        select
            daily.*,
            date(daily.{{ source.valid_from }}) as _dated_on,
            days._number
        from daily
        inner join days on daily.landed_on = days.landed_on
    ),

    -- A stretch is a run of landed days without one on which the key is missing.
    with_neighbours as (
        select
            *,
            coalesce(lag(_number) over (partition by {{ source.key }} order by _number) < _number - 1, true) as _starts_stretch,
            coalesce(lead(_number) over (partition by {{ source.key }} order by _number) > _number + 1, true) as _ends_stretch
        from numbered
    ),

    with_stretches as (
        select
            *,
            sum(if(_starts_stretch, 1, 0)) over (
                partition by {{ source.key }} order by _number rows between unbounded preceding and current row
            ) as _stretch
        from with_neighbours
    ),

    with_last_valid as (
        select
            *,
            last_value(if(is_quarantined, null, struct({{ checked }}, _stretch)), true) over (
                partition by {{ source.key }} order by _number rows between unbounded preceding and 1 preceding
            ) as _last_valid
        from with_stretches
    ),

    -- A version _opens where a valid day differs from the last valid one, or is in another stretch.
    with_openings as (
        select
            *,
            not is_quarantined and not (_last_valid <=> struct({{ checked }}, _stretch)) as _opens
        from with_last_valid
    ),

    turns as (
        select
            *,
            lead(_number) over (partition by {{ source.key }} order by _number) as _next_number,
            lead(_opens) over (partition by {{ source.key }} order by _number) as _next_opens
        from with_openings
        where _opens or _ends_stretch
    ),

    -- What comes after an opening is the next one, or the stretch's end, which may be the opening itself.
    opened as (
        select
            *,
            not _ends_stretch and _next_opens as _is_modified,
            case
                when _ends_stretch then _number + 1
                when _next_opens then _next_number
                else _next_number + 1
            end as _closed_number
        from turns
        where _opens
    ),

    versions as (
        select
            opened.*,
            opened.landed_on as recorded_on,
            days.landed_on as closed_on,
            row_number() over (partition by opened.{{ source.key }} order by opened._number) as version
        from opened
        left join days on opened._closed_number = days._number
    ),

    with_previous as (
        select
            *,
            lag(_stretch) over (partition by {{ source.key }} order by version) as _stretch_before,
            lag(recorded_on) over (partition by {{ source.key }} order by version) as _recorded_before,
            lag(closed_on) over (partition by {{ source.key }} order by version) as _closed_before,
            lag(_dated_on) over (partition by {{ source.key }} order by version) as _dated_before
        from versions
    ),

    -- A version starts a group if it is the first, comes back, or its date is after the landed day of the one before.
    with_group_starts as (
        select
            *,
            coalesce(_stretch <> _stretch_before or _dated_on > _recorded_before, true) as _starts_group,
            coalesce(_stretch <> _stretch_before and _dated_on < _closed_before, false) as _returns_too_early
        from with_previous
    ),

    with_groups as (
        select
            *,
            sum(if(_starts_group, 1, 0)) over (
                partition by {{ source.key }} order by version rows between unbounded preceding and current row
            ) as _group_number
        from with_group_starts
    ),

    -- In a group valid_from is the date until a date is not later than the one before, and the landed day from there on.
    with_valid_from as (
        select
            *,
            if(
                max(_returns_too_early or (not _starts_group and _dated_on <= _dated_before)) over (
                    partition by {{ source.key }}, _group_number order by version
                    rows between unbounded preceding and current row
                ),
                recorded_on,
                _dated_on
            ) as valid_from
        from with_groups
    )

    select
        {{ source.key }},
        {%- for column in history_columns(source) %}
        {{ column }},
        {%- endfor %}
        version,
        valid_from,
        if(_is_modified, lead(valid_from) over (partition by {{ source.key }} order by version), closed_on) as valid_to,
        recorded_on,
        closed_on,
        other_columns
    from with_valid_from
{%- endmacro %}


{#-
  The body of the view rebuilt_<source>: the second derivation for the days that the history holds. `history` is the snapshot,
  `judged` the model judged_<source>.
-#}
{% macro rebuilt_history(history, judged, name) -%}
    -- depends_on: {{ history }}
    {{ _derived_history(declared(name), 'select * from ' ~ judged, history_days(name)) }}
{%- endmacro %}
