{#-
  A scope of changes (see changes_of) for a table that has a row for every window from the first to the last, quiet ones too:
  widened by the days between the first or last window of the table and those of `starts`, the relation that it follows, with the
  column window_start. There quiet windows begin or cease to be.
-#}
{% macro with_edges(scope, starts) %}
    {%- if scope.everything or scope.nothing -%}
        {{ return(scope) }}
    {%- endif -%}
    {%- set sql -%}
        with windows as (
            select min(window_start) as first_window, max(window_start) as last_window from {{ this }}
        ),

        starts as (
            select min(window_start) as first_window, max(window_start) as last_window from {{ starts }}
        ),

        -- Where one of the two is empty, all the windows of the other begin or cease to be.
        edges as (
            select
                coalesce(windows.first_window, starts.last_window) as old_first,
                coalesce(windows.last_window, starts.first_window) as old_last,
                coalesce(starts.first_window, windows.last_window) as new_first,
                coalesce(starts.last_window, windows.first_window) as new_last
            from windows
            cross join starts
        )

        select
            cast(date(least(old_first, new_first)) as string),
            cast(date_add(date(greatest(old_first, new_first)), 1) as string),
            cast(date(least(old_last, new_last)) as string),
            cast(date_add(date(greatest(old_last, new_last)), 1) as string),
            old_first <> new_first,
            old_last <> new_last
        from edges
    {%- endset -%}
    {%- set row = run_query(sql)[0] -%}
    {%- set ranges = (scope.parts.values() | first).ranges -%}
    {%- if row[4] -%}
        {% do ranges.append([row[0], row[1]]) %}
    {%- endif -%}
    {%- if row[5] -%}
        {% do ranges.append([row[2], row[3]]) %}
    {%- endif -%}
    {{ return(scope) }}
{% endmacro %}
