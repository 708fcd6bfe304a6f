{#- The columns of a model of file states, without a row: what is known before the first run. -#}
{% macro no_files() -%}
    select
        cast(null as string) as path,
        cast(null as bigint) as size,
        cast(null as timestamp) as modified_at,
        cast(null as timestamp) as loaded_at,
        cast(null as string) as content_hash,
        cast(null as bigint) as rows_landed,
        cast(null as bigint) as rows_valid,
        cast(null as bigint) as rows_quarantined,
        cast(null as bigint) as rows_refused,
        cast(null as string) as fault,
        cast(null as string) as status,
        cast(null as string) as reason,
        cast(null as array<date>) as touched_days,
        cast(null as timestamp) as changed_at
    where false
{%- endmacro %}


{#- What a model of file states holds before this run. -#}
{% macro known_files() -%}
    {%- if is_incremental() -%}
    select * from {{ this }}
    {%- else -%}
    {{ no_files() }}
    {%- endif -%}
{%- endmacro %}


{#- The time of what this run changes in a relation: now, but later than any before, even where the clock was set back. -#}
{% macro next_changed_at(relation) -%}
    {%- if relation is not none -%}
    greatest(current_timestamp(), (select max(changed_at) + interval 1 microsecond from {{ relation }}))
    {%- else -%}
    current_timestamp()
    {%- endif -%}
{%- endmacro %}
