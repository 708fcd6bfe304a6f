{#-
  Guards: the history made day by day is, row for row, the one that a single statement derives from raw. Without it a version
  could be lost, doubled or misdated by a kill, a replay or a fault of the snapshot, and nobody would know. A generic test on the
  snapshot of a history; `rebuilt` is the view rebuilt_<source>. A positive surplus is in the history and not in raw.
-#}
{% test is_what_raw_says(model, rebuilt) %}
{#- While dbt parses, the model is not known yet. -#}
{%- set source = declared(model.identifier) if execute else _declared_sources('daily_snapshot') | first -%}
{%- set own = history_columns(source, all=true) | join(', ') -%}
{%- set carried = _carried_columns(source) -%}
with sides as (
    select
        {{ own }},
        array({% for column in carried %}`{{ column.column_name }}`{{ ', ' if not loop.last }}{% endfor %}) as other_values,
        1 as surplus
    from {{ model }}
    union all
    select
        {{ own }},
        array({% for column in carried %}{{ _other_value(column) }}{{ ', ' if not loop.last }}{% endfor %}) as other_values,
        -1 as surplus
    from {{ rebuilt }}
)

select
    {{ own }},
    other_values,
    sum(surplus) as surplus
from sides
where {{ is_history_verified(source) }}
group by {{ own }}, other_values
having sum(surplus) <> 0
{% endtest %}


{#-
  Guards: the versions of a key are numbered 1, 2, 3 without a gap, never overlap, at most the last is current, and each was open
  for a day at least. Without it an as-of query could find two versions of one day, or none. A generic test on the snapshot of
  a history.
-#}
{% test versions_follow_each_other(model) %}
{#- While dbt parses, the model is not known yet. -#}
{%- set source = declared(model.identifier) if execute else _declared_sources('daily_snapshot') | first -%}
with versions as (
    select
        *,
        row_number() over (partition by {{ source.key }} order by version) as expected_version,
        lag(valid_to) over (partition by {{ source.key }} order by version) as valid_to_before,
        lag(closed_on) over (partition by {{ source.key }} order by version) as closed_before
    from {{ model }}
)

select * from versions
where
    version <> expected_version
    or {{ source.key }} is null
    or (version > 1 and coalesce(valid_to_before > valid_from, true))
    or (version > 1 and coalesce(closed_before > recorded_on, true))
    or valid_to <= valid_from
    or closed_on <= recorded_on
    or (valid_to is null) <> (closed_on is null)
{% endtest %}


{#- Whether a history is compared with its second derivation: as verify_history says, else up to 2,000,000 landed rows. -#}
{% macro is_history_verified(source) -%}
    {%- if var('verify_history') is not none -%}
        {{ var('verify_history') | lower }}
    {%- elif not execute or _built_relation('loaded_files') is none -%}
        true
    {%- else -%}
        {{ _answer(
            'whether ' ~ source.name ~ ' is small',
            'select coalesce(sum(rows_loaded), 0) <= 2000000 from (' ~ _known_files(source) ~ ')',
            [_built_relation('loaded_files')],
        )[0][0] | lower }}
    {%- endif -%}
{%- endmacro %}


{#- The columns of a source beside the declared ones that its history carries, as _named_columns gives them. -#}
{% macro _carried_columns(source) %}
    {%- if not execute or _built_relation(source.name) is none or _built_relation('loaded_files') is none -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set names = _answer(
        'other columns of ' ~ source.name,
        'select distinct explode(other_columns) as name from (' ~ _deliveries(source) ~ ') order by name',
        [_built_relation('loaded_files')],
    ) | map('first') | list -%}
    {%- set there = adapter.get_columns_in_relation(_built_relation(source.name)) | map(attribute='name') | list -%}
    {{ return(
        _named_columns(names, _built_relation(source.name), history_columns(source, all=true))
        | selectattr('column_name', 'in', there) | list
    ) }}
{% endmacro %}
